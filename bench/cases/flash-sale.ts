import { AuditFailed, type Bench, mustBe } from '../contenders/contender.ts';
import { Holdfast } from '../contenders/holdfast.ts';
import { postRequest } from '../load/generator.ts';
import { takeHolds } from '../load/take.ts';
import type { Counted } from '../load/tally.ts';
import { lineChart } from '../plot.ts';
import { oneDigit, type Report, twoDigits, whole } from '../report.ts';
import type { Plan } from '../rounds.ts';
import { type Case, scaled } from './case.ts';

const STOCK = 200_000;
/** Of another product, before the sale: code and caches are those of a process that runs. */
const WARM_UP = 20_000;
const CONNECTIONS = 256;
/** How long buyers go on once all is gone. */
const AFTER_SECONDS = 5;
const SECONDS_MAX = 300;

/** A second of the sale. */
interface Second extends Counted {
  /** Transitions that MySQL does not have yet, at its end. */
  backlog: number;
}

interface Sale {
  stock: number;
  seconds: Second[];
  answers: number;
  accepted: number;
  settledMs: number;
}

const count = (seconds: readonly Counted[], status: number) =>
  seconds.reduce((sum, { statuses }) => sum + (statuses[status] ?? 0), 0);

async function sell(bench: Bench, subject: Holdfast, plan: Plan): Promise<Sale> {
  const [stock, warmUp] = [scaled(STOCK, plan), scaled(WARM_UP, plan)];
  const id = await subject.createProduct(stock);
  const warmId = await subject.createProduct(stock);
  await takeHolds(bench, subject.port, warmId, { connections: CONNECTIONS, count: warmUp });
  await subject.settle();
  const requests = [postRequest('/api/holds', { product_id: id, qty: 1 })];
  const load = { port: subject.port, requests, connections: CONNECTIONS, seconds: SECONDS_MAX };
  const seconds: Second[] = [];
  let soldOutSeconds = 0;
  const { statuses, answers } = await bench.generator.watch(load, async (second) => {
    seconds.push({ ...second, backlog: await subject.backlog() });
    if (count(seconds, 201) >= stock) soldOutSeconds += 1;
    if (soldOutSeconds > AFTER_SECONDS) await bench.generator.enough();
  });
  const answeredAt = performance.now();
  await subject.settle();
  const settledMs = performance.now() - answeredAt;
  const accepted = statuses[201] ?? 0;
  mustBe('holdfast', { accepted }, { accepted: stock });
  if (accepted + (statuses[409] ?? 0) !== answers) {
    throw new AuditFailed(`answers other than 201 and 409: ${JSON.stringify(statuses)}`);
  }
  await subject.audit(id, stock, { holds: accepted });
  return { stock, seconds, answers, accepted, settledMs };
}

function chart(seconds: readonly Second[]): string {
  const line = (name: string, figure: (second: Second) => number) => ({
    name,
    points: seconds.map((it, index): [number, number] => [index + 1, figure(it)]),
  });
  const each = (status: number) => (second: Second) =>
    ((second.statuses[status] ?? 0) * 1_000) / second.elapsedMs;
  return lineChart({
    title: 'A flash sale, second by second',
    x: { label: 'second' },
    y: { label: 'in this second' },
    series: [
      line('requests', ({ answers, elapsedMs }) => (answers * 1_000) / elapsedMs),
      line('accepted holds', each(201)),
      line('sold-out answers', each(409)),
      line('not yet in MySQL', ({ backlog }) => backlog),
    ],
  });
}

function rowOf(what: string, seconds: readonly Second[]): string[] {
  const elapsedS = seconds.reduce((sum, { elapsedMs }) => sum + elapsedMs, 0) / 1_000;
  const answers = seconds.reduce((sum, it) => sum + it.answers, 0);
  return [
    what,
    oneDigit(elapsedS),
    whole(answers / elapsedS),
    whole(count(seconds, 201)),
    whole(count(seconds, 409)),
    twoDigits(Math.max(...seconds.map(({ p99Ms }) => p99Ms))),
    whole(Math.max(...seconds.map(({ backlog }) => backlog))),
  ];
}

function reportOf({ stock, seconds, settledMs, ...sale }: Sale): Report {
  const selling = seconds.filter((second) => count([second], 201) > 0);
  const soldOut = seconds.filter((second) => count([second], 201) === 0);
  return {
    title: 'A flash sale, second by second',
    notes: [
      `${CONNECTIONS} connections ask for ${whole(stock)} units, one each, and go on when all are ` +
        'gone; all roles in one process, which has sold another product before. The last second of ' +
        'the sale has both answers. Backlog: ' +
        `transitions that MySQL did not have yet at the end of a second; ${twoDigits(settledMs / 1_000)} ` +
        's after the last answer there were none.',
    ],
    head: ['', 'seconds', 'answers/s', 'held', 'sold out', 'worst p99 ms', 'most backlog'],
    rows: [rowOf('units are left', selling), rowOf('sold out', soldOut)],
    targets: [],
    plots: [
      {
        name: 'flash-sale',
        alt: 'Requests, accepted holds, sold-out answers and backlog in each second of a sale',
        svg: chart(seconds),
      },
    ],
    json: { stock, seconds, settledMs, ...sale },
  };
}

/** A sale from its first second until nothing is left, and what comes after. */
export const flashSale: Case = {
  name: 'flash-sale',
  what: `${CONNECTIONS} connections buy ${whole(STOCK)} units, second by second`,
  run: async (bench, plan) => {
    const subject = await Holdfast.open(bench, { roles: 'together' });
    try {
      return reportOf(await sell(bench, subject, plan));
    } finally {
      await subject.close();
    }
  },
};
