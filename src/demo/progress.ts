import { clearScreenDown, moveCursor } from 'node:readline';
import type { WriteStream } from 'node:tty';
import { styleText } from 'node:util';
import type { Sale, Shelf } from './sale.ts';

const REDRAW_EVERY_MS = 100;
const LINE_EVERY_MS = 2_000;
const RATE_OVER_MS = 1_000;
const WIDTH_MAX = 100;
const MARGIN = 2;

const PARTS = [
  { name: 'sold', mark: '█', colour: 'green' },
  { name: 'pending', mark: '▓', colour: 'yellow' },
  { name: 'held', mark: '▒', colour: 'cyan' },
  { name: 'available', mark: '░', colour: 'gray' },
] as const;

type Paint = (colour: (typeof PARTS)[number]['colour'] | 'bold', text: string) => string;

const count = (value: number): string => Math.round(value).toLocaleString('en-US');

/** So many characters for each part that they fill the width, and none is wider than its share. */
export function barOf(shelf: Shelf, width: number, paint: Paint): string {
  const total = PARTS.reduce((sum, { name }) => sum + shelf[name], 0);
  let units = 0;
  let drawn = 0;
  return PARTS.map(({ name, mark, colour }) => {
    units += shelf[name];
    const end = total === 0 ? 0 : Math.round((units / total) * width);
    const part = mark.repeat(end - drawn);
    drawn = end;
    return part === '' ? '' : paint(colour, part);
  }).join('');
}

/** Requests of the last second, from samples of their number. */
class Rate {
  readonly #samples = [{ at: performance.now(), count: 0 }];

  perSecond(requests: number): number {
    const at = performance.now();
    this.#samples.push({ at, count: requests });
    while ((this.#samples[1]?.at ?? at) < at - RATE_OVER_MS) this.#samples.shift();
    const first = this.#samples[0] ?? { at, count: requests };
    return at > first.at ? ((requests - first.count) * 1_000) / (at - first.at) : 0;
  }
}

function phaseOf({ isOpen, ledger }: Sale): string {
  if (isOpen()) return 'the sale is on';
  // Everybody has a first try, however long the line is.
  if (ledger.rush === undefined) return 'the sale is over: the rest of the line hears of it';
  return 'the sale is over: last payments, and units coming back';
}

function numbersOf({ ledger }: Sale, rate: number): string {
  return [
    `${count(rate)} requests/s`,
    `${count(ledger.holds.size)} granted`,
    `${count(ledger.refusalCount)} times sold out`,
    `${count(ledger.paidCount)} paid`,
  ].join(' · ');
}

function frameOf(sale: Sale, phase: string, rate: number, width: number, paint: Paint): string[] {
  const clock = `${(sale.ledger.elapsedMs() / 1_000).toFixed(1)} s`;
  const legend = PARTS.map(
    ({ name, mark, colour }) => `${paint(colour, mark)} ${name} ${count(sale.shelf[name])}`,
  );
  return [
    '',
    `${paint('bold', clock.padStart(7))}  ${phase}`,
    barOf(sale.shelf, width - 2 * MARGIN, paint),
    legend.join('   '),
    numbersOf(sale, rate),
    '',
  ].map((line) => (line === '' ? '' : ' '.repeat(MARGIN) + line));
}

function lineOf(sale: Sale, phase: string, rate: number): string {
  const seconds = (sale.ledger.elapsedMs() / 1_000).toFixed(1);
  const stock = PARTS.map(({ name }) => `${name} ${count(sale.shelf[name])}`).join(' ');
  return `${seconds.padStart(6)} s  ${phase}: ${numbersOf(sale, rate)} · ${stock}`;
}

/** Shows the sale while it goes on. */
export interface Progress {
  /** Says from now on what is done instead of where the sale stands. */
  say: (phase: string) => void;
  /** Draws the last picture and stops. */
  stop: () => void;
}

/** Redrawn in place on a terminal; elsewhere a line now and then. */
export function showProgress(sale: Sale, stream: WriteStream): Progress {
  const rate = new Rate();
  let said: string | undefined;
  let drawnLines = 0;
  const paint: Paint = (colour, text) => styleText(colour, text, { stream });
  const draw = () => {
    const phase = said ?? phaseOf(sale);
    const perSecond = rate.perSecond(sale.shop.requestCount);
    if (!stream.isTTY) {
      stream.write(`${lineOf(sale, phase, perSecond)}\n`);
      return;
    }
    const width = Math.min(stream.columns || WIDTH_MAX, WIDTH_MAX);
    const lines = frameOf(sale, phase, perSecond, width, paint);
    if (drawnLines > 0) moveCursor(stream, 0, -drawnLines);
    clearScreenDown(stream);
    stream.write(`${lines.join('\n')}\n`);
    drawnLines = lines.length;
  };
  const timer = setInterval(draw, stream.isTTY ? REDRAW_EVERY_MS : LINE_EVERY_MS);
  return {
    say: (phase) => {
      said = phase;
    },
    stop: () => {
      clearInterval(timer);
      draw();
    },
  };
}
