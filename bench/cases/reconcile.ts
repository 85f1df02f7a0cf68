import { pino } from 'pino';
import { compose } from '../../src/compose.ts';
import { readConfig } from '../../src/config.ts';
import { AuditFailed, type Bench } from '../contenders/contender.ts';
import { Holdfast } from '../contenders/holdfast.ts';
import { postRequest } from '../load/generator.ts';
import { whole } from '../report.ts';
import { type Case, scaled } from './case.ts';

const PRODUCTS = 1_000;
const HOLDS = 1_000_000;
const STOCK = 1_000_000;
/** So few connections ask, each at its own pace, while the books are compared. */
const BUSY_CONNECTIONS = 2;
const BUSY_SECONDS_MAX = 600;
const SECONDS_MAX = 30;

interface Measured {
  seconds: number;
  redisCpuS: number;
  mysqlCpuS: number;
  ownCpuS: number;
  /** Of the sale beside it. */
  holdsPerSecond: number;
  p99Ms: number;
}

/** One run of the reconciliation as the command makes it, on books that must agree. */
async function measure(
  { servers }: Bench,
  { stores }: Holdfast,
  expected: number,
  isPaced: boolean,
): Promise<Omit<Measured, 'holdsPerSecond' | 'p99Ms'>> {
  const { redisUrl, mysqlUrl } = stores;
  const config = { ...readConfig({}), roles: [] };
  const log = pino({ level: 'silent' });
  const holdfast = await compose({ config, redisUrl, mysqlUrl, log, drainsItself: true });
  try {
    const cpu = async () =>
      [await servers.redisCpuUs(), (await servers.mysqlCpuUs()) ?? 0] as const;
    const [before, own] = [await cpu(), process.cpuUsage()];
    const startedAt = performance.now();
    const request = { productId: null, fixes: false, cause: 'command', isPaced } as const;
    const { findings, products } = await holdfast.reconcile(request);
    const seconds = (performance.now() - startedAt) / 1_000;
    const [after, { user, system }] = [await cpu(), process.cpuUsage(own)];
    if (findings.length > 0 || products < expected) {
      throw new AuditFailed(`reconcile: ${JSON.stringify(findings.slice(0, 3))}`);
    }
    return {
      seconds,
      redisCpuS: (after[0] - before[0]) / 1e6,
      mysqlCpuS: (after[1] - before[1]) / 1e6,
      ownCpuS: (user + system) / 1e6,
    };
  } finally {
    await holdfast.close();
  }
}

/** The same while buyers go on. */
async function measureBusy(
  bench: Bench,
  subject: Holdfast,
  requests: string[],
  isPaced: boolean,
): Promise<Measured> {
  const { port } = subject;
  const load = { port, requests, connections: BUSY_CONNECTIONS };
  let isOver = false;
  const sums = { answers: 0, elapsedMs: 0, p99Ms: 0 };
  const selling = (async () => {
    const giveUpAt = performance.now() + BUSY_SECONDS_MAX * 1_000;
    while (!isOver && performance.now() < giveUpAt) {
      const { answers, elapsedMs, p99Ms } = await bench.generator.run({ ...load, seconds: 1 });
      sums.answers += answers;
      sums.elapsedMs += elapsedMs;
      sums.p99Ms = Math.max(sums.p99Ms, p99Ms);
    }
  })();
  try {
    const measured = await measure(bench, subject, requests.length, isPaced);
    isOver = true;
    await selling;
    const holdsPerSecond = (sums.answers * 1_000) / sums.elapsedMs;
    return { ...measured, holdsPerSecond, p99Ms: sums.p99Ms };
  } finally {
    isOver = true;
    await selling;
  }
}

const rowOf = (
  what: string,
  it: Partial<Measured> & Omit<Measured, 'holdsPerSecond' | 'p99Ms'>,
) => [
  what,
  it.seconds.toFixed(1),
  it.mysqlCpuS.toFixed(1),
  it.redisCpuS.toFixed(1),
  it.ownCpuS.toFixed(1),
  it.holdsPerSecond === undefined ? '' : whole(it.holdsPerSecond),
  it.p99Ms === undefined ? '' : it.p99Ms.toFixed(0),
];

/** How long it takes to prove that all books agree, and what that costs a sale. */
export const reconcile: Case = {
  name: 'reconcile',
  what: `reconciliation of ${whole(PRODUCTS)} products and ${whole(HOLDS)} live holds`,
  isLong: true,
  run: async (bench, plan, say) => {
    const [products, holds] = [scaled(PRODUCTS, plan), scaled(HOLDS, plan)];
    const subject = await Holdfast.open(bench, { roles: 'together' });
    try {
      say(`making ${whole(products)} products and ${whole(holds)} holds ...`);
      const ids = await subject.createProducts(products, STOCK);
      const requests = ids.map((id) => postRequest('/api/holds', { product_id: id, qty: 1 }));
      const { connections } = plan;
      const load = { port: subject.port, requests, connections, count: holds };
      const { statuses } = await bench.generator.run(load);
      if ((statuses[201] ?? 0) < holds) throw new AuditFailed(`holds: ${JSON.stringify(statuses)}`);
      await subject.settle();
      say('comparing ...');
      const quiet = await measure(bench, subject, products, false);
      say('comparing while buyers go on ...');
      const busy = await measureBusy(bench, subject, requests, false);
      say('comparing at the pace of the scheduled run, while buyers go on ...');
      const paced = await measureBusy(bench, subject, requests, true);
      return {
        title: 'The books are compared',
        notes: [
          `${whole(products)} products, ${whole(holds)} live holds at the start and more with every` +
            ' second of the sale. CPU seconds of MySQL and Redis include the sale beside it.',
        ],
        head: ['', 'seconds', 'MySQL CPU s', 'Redis CPU s', 'own CPU s', 'holds/s', 'worst p99 ms'],
        rows: [
          rowOf('`holdfast reconcile`, nobody buying', quiet),
          rowOf('`holdfast reconcile`, buyers going on', busy),
          rowOf('the scheduled run, buyers going on', paced),
        ],
        targets: [
          {
            what: '`holdfast reconcile`, nobody buying',
            measured: quiet.seconds,
            atMost: SECONDS_MAX,
            unit: 's',
          },
        ],
        json: { products, holds, quiet, busy, paced },
      };
    } finally {
      await subject.close();
    }
  },
};
