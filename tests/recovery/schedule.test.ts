import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { expect, onTestFinished, test } from 'vitest';
import { Unavailable } from '../../src/domain/unavailable.ts';
import {
  type Reconcile,
  ReconcileBusy,
  type ReconcileRequest,
} from '../../src/recovery/reconcile/reconciliation.ts';
import { RECONCILE_QUEUE, startReconciler } from '../../src/recovery/reconcile/schedule.ts';
import { BULL_PREFIX } from '../../src/redis/keys.ts';
import { ownEngine, type TestEngine } from '../support/engine.ts';
import { captureLog } from '../support/log.ts';
import { privateRedis } from '../support/private-redis.ts';
import { finding, madeUpRuns } from '../support/runs.ts';
import { eventually } from '../support/wait.ts';

const EVERY_MS = 400;
const FINDING = 'finding: the books do not agree';
const nothing = async () => undefined;

const own = () => ownEngine({ config: { roles: ['api'] } }, nothing);

/** One process's reconciler, closed after the test at the latest. */
function started(
  t: TestEngine,
  reconcile: Reconcile,
  { everyMs = EVERY_MS, log = captureLog().log, redisUrl = t.redisUrl } = {},
) {
  const { database } = t;
  const reconciler = startReconciler({ redisUrl, database, reconcile, everyMs, log });
  onTestFinished(reconciler.close);
  return reconciler;
}

async function startsOf({ sql }: TestEngine): Promise<number[]> {
  const rows = await sql('SELECT started_at FROM reconciliations ORDER BY started_at');
  return rows.map((row) => row.started_at.getTime());
}

const runsOf = (t: TestEngine, count: number) =>
  eventually(async () => {
    const starts = await startsOf(t);
    expect(starts.length).toBeGreaterThanOrEqual(count);
    return starts;
  });

/** Returns once BullMQ has made this many jobs of the schedule. */
const iterated = ({ redis }: TestEngine, times: number) =>
  eventually(async () => {
    const iterations = await redis.hget(`${BULL_PREFIX}:${RECONCILE_QUEUE}:repeat:books`, 'ic');
    expect(Number(iterations)).toBeGreaterThanOrEqual(times);
  });

/** Lasts until it is told to end, or the test is over. */
async function untilAborted({ signal }: ReconcileRequest): Promise<void> {
  await new Promise<void>((_, reject) => {
    signal?.addEventListener('abort', () => reject(new Error('ended early')));
  });
}

test('all books are compared every period, without repairs, at a pace', async () => {
  const t = await own();
  const { reconcile, requests } = madeUpRuns(t);
  started(t, reconcile);
  await runsOf(t, 3);
  await iterated(t, 3);
  const { signal, ...request } = requests[0] ?? {};
  expect(request).toEqual({ productId: null, fixes: false, cause: 'schedule', isPaced: true });
  expect(signal).toBeInstanceOf(AbortSignal);
});

test('many processes make one run a period between them', async () => {
  const t = await own();
  const shares = Array.from({ length: 4 }, () => madeUpRuns(t));
  const reconcilers = shares.map(({ reconcile }) => started(t, reconcile));
  await runsOf(t, 6);
  await Promise.all(reconcilers.map(({ close }) => close()));
  const starts = await startsOf(t);
  for (const [index, at] of starts.slice(1).entries()) {
    expect(at - (starts[index] ?? 0)).toBeGreaterThanOrEqual(EVERY_MS / 2);
  }
  const made = shares.map(({ requests }) => requests.length);
  expect(made.reduce((sum, count) => sum + count)).toBe(starts.length);
});

test('a run that takes longer than its period is not joined by another one', async () => {
  const t = await own();
  let [underWay, most] = [0, 0];
  const slow = async () => {
    underWay += 1;
    most = Math.max(most, underWay);
    await pause(3 * EVERY_MS);
    underWay -= 1;
  };
  for (let count = 0; count < 3; count += 1) started(t, madeUpRuns(t, slow).reconcile);
  await runsOf(t, 3);
  expect(most).toBe(1);
});

test('keys of BullMQ that are deleted do not stop it, and it is scheduled again', async () => {
  const t = await own();
  const { reconcile } = madeUpRuns(t);
  started(t, reconcile);
  await runsOf(t, 1);
  const before = (await startsOf(t)).length;
  const all = await t.redis.keys(`${BULL_PREFIX}:*`);
  await t.redis.del(...all);
  await runsOf(t, before + 1);
  await iterated(t, 3);
});

test('a Redis that nobody reaches does not stop it', async () => {
  const t = await own();
  const { reconcile } = madeUpRuns(t);
  const wrong = new URL(t.redisUrl);
  wrong.port = '1';
  started(t, reconcile, { redisUrl: wrong.href });
  await runsOf(t, 3);
});

test('a full Redis does not stop it', async () => {
  const t = await own();
  const { reconcile } = madeUpRuns(t);
  const redisUrl = await (await privateRedis()).start();
  const redis = new Redis(redisUrl);
  onTestFinished(() => redis.disconnect());
  started(t, reconcile, { redisUrl });
  await runsOf(t, 1);
  await redis.config('SET', 'maxmemory', '1');
  await expect(redis.set('a', '1')).rejects.toThrow('OOM');
  await runsOf(t, (await startsOf(t)).length + 3);
});

test('a run that was made a moment ago by somebody else is enough', async () => {
  const t = await own();
  const { reconcile, requests } = madeUpRuns(t);
  const everyMs = 3_000;
  await reconcile({ productId: null, fixes: true, cause: 'command', isPaced: false });
  const { log, lines } = captureLog();
  started(t, reconcile, { everyMs, log });
  await runsOf(t, 2);
  const [first = 0, second = 0] = await startsOf(t);
  expect(second - first).toBeGreaterThanOrEqual(everyMs / 2);
  expect(requests).toHaveLength(2);
  expect(lines.filter(({ level }) => level > 30)).toEqual([]);
});

test('a run of one product is not one of all books', async () => {
  const t = await own();
  const { reconcile, requests } = madeUpRuns(t);
  started(t, reconcile);
  await runsOf(t, 1);
  const one = () => reconcile({ productId: 1, fixes: false, cause: 'command', isPaced: false });
  await eventually(async () => {
    await one();
    expect(requests.filter(({ cause }) => cause === 'schedule').length).toBeGreaterThanOrEqual(3);
  });
});

test('a finding is told once, until it is gone', async () => {
  const t = await own();
  const { log, lines, errors } = captureLog();
  const { reconcile, requests, findings } = madeUpRuns(t);
  findings.push(finding(), finding({ kind: 'overdue', id: 'hold_x', productId: null, units: 0 }));
  started(t, reconcile, { log });
  const told = () => errors().filter(({ msg }) => msg === FINDING);
  const more = (count: number) => runsOf(t, requests.length + count);
  await more(3);
  expect(told()).toMatchObject([
    { kind: 'redis_disagrees', lane: 0, product: 7, units: 2, expected: { available: 10 } },
    { kind: 'overdue', id: 'hold_x' },
  ]);
  findings.shift();
  await more(2);
  expect(lines.filter(({ msg }) => msg === 'findings are gone')).toHaveLength(1);
  findings.push(finding());
  await more(2);
  expect(told()).toHaveLength(3);
});

test('runs that fail are a warning, once a reason, and are tried again', async () => {
  const t = await own();
  const { log, lines } = captureLog();
  let failure: Error | undefined = new Unavailable('MySQL is away');
  let failures = 0;
  const { reconcile } = madeUpRuns(t, async () => {
    if (!failure) return;
    failures += 1;
    throw failure;
  });
  started(t, reconcile, { log });
  const failed = (count: number) => eventually(() => expect(failures).toBeGreaterThan(count));
  await failed(2);
  const warnings = () => lines.filter(({ level }) => level > 30);
  expect(warnings()).toMatchObject([{ level: 40, reason: 'MySQL is away' }]);
  failure = new ReconcileBusy('another one repairs');
  await failed(failures + 2);
  expect(warnings()).toHaveLength(1);
  failure = undefined;
  await runsOf(t, 2);
  await eventually(() =>
    expect(lines.map(({ msg }) => msg)).toContain('reconciliation runs again'),
  );
});

test('close ends a run that is under way', async () => {
  const t = await own();
  const { log, lines } = captureLog();
  const { reconcile, requests } = madeUpRuns(t, untilAborted);
  const reconciler = started(t, reconcile, { log });
  await eventually(() => expect(requests).toHaveLength(1));
  await reconciler.close();
  expect(requests[0]?.signal?.aborted).toBe(true);
  expect(await startsOf(t)).toEqual([]);
  expect(lines.filter(({ level }) => level > 30)).toEqual([]);
  // The next process goes on: neither the lock nor the schedule is left behind.
  started(t, madeUpRuns(t).reconcile);
  await runsOf(t, 1);
  expect(requests).toHaveLength(1);
});

test('close is bounded also when a run does not listen', async () => {
  const t = await own();
  let end = () => {};
  const deaf = new Promise<void>((resolve) => {
    end = resolve;
  });
  const { reconcile, requests } = madeUpRuns(t, () => deaf);
  const reconciler = started(t, reconcile);
  await eventually(() => expect(requests).toHaveLength(1));
  const closing = performance.now();
  await reconciler.close();
  expect(performance.now() - closing).toBeLessThan(6_000);
  end();
  await runsOf(t, 1);
});

test('close of one that has never reached Redis ends', async () => {
  const t = await own();
  const wrong = new URL(t.redisUrl);
  wrong.port = '1';
  const reconciler = started(t, madeUpRuns(t).reconcile, { redisUrl: wrong.href });
  await reconciler.close();
});
