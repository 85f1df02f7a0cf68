import { formatLetterId, type StoredLetter } from '../domain/dead-letters.ts';
import { deadLetterJson, type ReplayJson } from '../http/dead-letter-answer.ts';
import { printFields, printTable } from './output.ts';

// Tables fit into 80 columns.
const REASON_WIDTH = 31;

// What could not be read may hold anything, and must not steer a terminal.
const plain = (text: string): string => text.replaceAll(/\p{C}/gu, '?');

const wrapped = (text: string): string =>
  plain(text)
    .replace(new RegExp(`(.{1,${REASON_WIDTH}})(?: |$)|(.{${REASON_WIDTH}})`, 'g'), '$1$2\n')
    .trimEnd();

const stepOf = ({ kind, transition }: StoredLetter): string =>
  transition.kind === 'reservation' ? transition.event.to : kind;

/** Dead letters for people, with how many are open. */
export function printLetters(letters: StoredLetter[], open: number, all: boolean): void {
  if (letters.length === 0) {
    process.stdout.write('There is no dead letter: MySQL took every transition.\n');
    return;
  }
  printTable(
    ['id', 'time (UTC)', 'step', 'hold, and why no row took it'],
    letters.map((letter) => {
      const { at, hold_id: hold, replayed_at: replayed, reason } = deadLetterJson(letter);
      const why = [hold && plain(hold), wrapped(reason), replayed && 'replayed'].filter(Boolean);
      const time = at.slice(0, 'YYYY-MM-DDTHH:MM:SS'.length).replace('T', ' ');
      return [formatLetterId(letter.id), time, stepOf(letter), why.join('\n')];
    }),
  );
  if (open > 0) process.stdout.write(`\n${open} open: holdfast dead-letters show <id>\n`);
  else if (all) process.stdout.write('\nNone is open.\n');
}

const itemText = ({ product_id: id, qty }: { product_id: number; qty: number }) =>
  `${qty} of product ${id}`;

const textOf = (value: unknown): string =>
  plain(Array.isArray(value) ? value.map(itemText).join(', ') : String(value));

const signed = (units: number) => (units > 0 ? `+${units}` : String(units));

/** All that is known of one. */
export function printLetter(letter: StoredLetter): void {
  const shown = deadLetterJson(letter);
  const { units, transition, hold_id: hold, replayed_at: replayed } = shown;
  const details = Object.entries(transition).filter(([, value]) => value !== null && value !== '');
  const moved = units.map(({ product_id: id, ...counters }) => {
    const changes = Object.entries(counters).filter(([, change]) => change !== 0);
    const told = changes.map(([name, change]) => `${name} ${signed(change)}`).join(', ');
    return [`units of product ${id}`, told || 'unmoved'];
  });
  printFields({
    'dead letter': shown.id,
    time: shown.at,
    kind: shown.kind,
    ...(hold ? { hold: plain(hold) } : {}),
    'why no row took it': plain(shown.reason),
    ...Object.fromEntries(
      details.map(([name, value]) => [name.replaceAll('_', ' '), textOf(value)]),
    ),
    ...Object.fromEntries(moved),
    replayed: replayed ?? 'no: the units have moved, the rows have not',
  });
}

/** What a replay has written, and what it could not write. */
export interface Told extends ReplayJson {
  refused: { id: string; reason: string }[];
}

/** The same for people. */
export function printReplay({
  replayed,
  made_again: made,
  missing_in_redis: missing,
  refused,
}: Told): void {
  const lines = [
    ...replayed.map((id) => `replayed ${id}`),
    ...made.map((id) => `made again ${id}: its row was gone`),
    ...refused.map(({ id, reason }) => `still refused ${id}: ${plain(reason)}`),
  ];
  if (replayed.length + refused.length === 0) lines.push('Nothing is left to replay.');
  process.stdout.write(lines.map((line) => `${line}\n`).join(''));
  if (missing.length === 0) return;
  process.stdout.write(
    `\n${missing.join('\n')}\n` +
      'were rebuilt without: Redis does not know these live holds. Complete the replay with\n' +
      '  $ holdfast reconcile --fix\n',
  );
}
