import { afterAll, beforeAll, expect, test } from 'vitest';
import { openDatabase } from '../../src/db/client.ts';
import { Unavailable } from '../../src/domain/unavailable.ts';
import { createMetrics } from '../../src/metrics.ts';
import { ReconcileBusy } from '../../src/recovery/reconcile/reconciliation.ts';
import { productKey } from '../../src/redis/keys.ts';
import { drained } from '../support/books.ts';
import { held } from '../support/buying.ts';
import { makeProduct, ownEngine, startEngine, type TestEngine } from '../support/engine.ts';
import { finding, madeUpRuns } from '../support/runs.ts';
import { undrainedEngine } from '../support/undrained.ts';
import { eventually } from '../support/wait.ts';
import { startWay } from '../support/way.ts';
import { expectDocumented } from './document.ts';
import { appOn } from './support.ts';

const SCRAPED_WITHIN_MS = 1_500;
const nothing = async () => undefined;
const all = { productId: null, fixes: false, cause: 'request', isPaced: false } as const;

let engine: TestEngine;

beforeAll(async () => {
  engine = await startEngine({ config: { roles: ['api'], lanes: 2 } });
});
afterAll(() => engine.stop());

/** The samples of a text, by name and labels. */
function samplesOf(text: string): Map<string, number> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => {
      const [, series = '', value = ''] = /^(\w+(?:\{[^}]*\})?) (\S+)$/.exec(line) ?? [];
      expect(series, line).not.toBe('');
      return [series, Number(value)];
    }),
  );
}

const scrape = async (metrics: Pick<TestEngine['metrics'], 'read'>) =>
  samplesOf((await metrics.read()).text);

test('Prometheus reads what the process has counted, without a token', async () => {
  const response = await appOn(engine).request('/metrics');
  expectDocumented('GET', '/metrics', response);
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  const text = await response.text();
  const samples = samplesOf(text);
  for (const lane of [0, 1]) {
    for (const name of ['drifts_total', 'drifts_open', 'dead_letters_total', 'dead_letters_open']) {
      expect(samples.get(`holdfast_${name}{lane="${lane}"}`), name).toBe(0);
    }
  }
  for (const result of ['clean', 'findings', 'failed']) {
    expect(samples.get(`holdfast_reconciliations_total{result="${result}"}`)).toBe(0);
  }
  // Before any run there is nothing to tell of one.
  expect([...samples.keys()].filter((name) => /finding\b|reconciliation_/.test(name))).toEqual([]);
  for (const name of text.matchAll(/^# TYPE (\w+)/gm)) {
    expect(text).toMatch(new RegExp(`^# HELP ${name[1]} \\S+`, 'm'));
  }
});

test('drifts are counted, and told as long as they are open', async () => {
  const t = await ownEngine({ config: { closesOnDrift: false } }, nothing);
  const product = await makeProduct(t, { totalStock: 100 });
  await drained(t);
  await t.redis.hincrby(productKey(0, product.id), 'held', 1);
  await held(t, product);
  await drained(t);
  const drifted = await scrape(t.metrics);
  expect(drifted.get('holdfast_drifts_total{lane="0"}')).toBe(1);
  expect(drifted.get('holdfast_drifts_open{lane="0"}')).toBe(1);
  await t.redis.hincrby(productKey(0, product.id), 'held', -1);
  await held(t, product);
  await drained(t);
  const mended = await scrape(t.metrics);
  expect(mended.get('holdfast_drifts_total{lane="0"}')).toBe(1);
  expect(mended.get('holdfast_drifts_open{lane="0"}')).toBe(0);
});

test('dead letters are counted, and told as long as they are open', async () => {
  const { t, product } = await undrainedEngine(nothing);
  const { id } = await held(t, product);
  // A row that no other may take the place of.
  await t.sql("INSERT INTO holds (id, lane, state, version) VALUES (?, 9, 'expired', 9)", [
    `hold_${id}`,
  ]);
  await t.drain(0);
  const samples = await scrape(t.metrics);
  expect(samples.get('holdfast_dead_letters_total{lane="0"}')).toBe(1);
  expect(samples.get('holdfast_dead_letters_open{lane="0"}')).toBe(1);
});

test('the last run of all books is told, whichever process made it', async () => {
  const { reconcile, findings } = madeUpRuns(engine);
  const [mine, other] = [0, 1].map(() => createMetrics({ database: engine.database, lanes: 1 }));
  if (!mine || !other) throw new Error('no metrics');
  const run = mine.counted(reconcile);
  findings.push(finding(), finding({ lane: 1 }), finding({ kind: 'overdue', units: 0 }));
  const before = Date.now() / 1_000;
  await run(all);
  const told = await scrape(other);
  expect(told.get('holdfast_findings{kind="redis_disagrees"}')).toBe(2);
  expect(told.get('holdfast_findings{kind="overdue"}')).toBe(1);
  expect(told.get('holdfast_reconciliation_drift_units')).toBe(4);
  const success = told.get('holdfast_reconciliation_last_success_timestamp_seconds') ?? 0;
  expect(success).toBeGreaterThanOrEqual(before - 0.001);
  expect(success).toBeLessThanOrEqual(Date.now() / 1_000);
  const took = told.get('holdfast_reconciliation_duration_seconds') ?? -1;
  expect(took).toBeGreaterThanOrEqual(0);
  expect(took).toBeLessThan(10);

  findings.length = 0;
  await run({ ...all, productId: 7 });
  expect((await scrape(other)).get('holdfast_reconciliation_drift_units')).toBe(4);
  await run(all);
  const clean = await scrape(other);
  expect(clean.get('holdfast_reconciliation_drift_units')).toBe(0);
  expect([...clean.keys()].filter((name) => name.startsWith('holdfast_findings'))).toEqual([]);

  const counted = async (metrics: typeof mine) => {
    const samples = await scrape(metrics);
    return ['clean', 'findings', 'failed'].map((result) =>
      samples.get(`holdfast_reconciliations_total{result="${result}"}`),
    );
  };
  // Counters are each process's own.
  expect(await counted(mine)).toEqual([2, 1, 0]);
  expect(await counted(other)).toEqual([0, 0, 0]);
});

test('runs that fail are counted; those that found another one at work, or were ended, not', async () => {
  const metrics = createMetrics({ database: engine.database, lanes: 1 });
  const failing = (error: Error) => metrics.counted(() => Promise.reject(error));
  const failed = async () =>
    (await scrape(metrics)).get('holdfast_reconciliations_total{result="failed"}');
  await expect(failing(new Unavailable('away'))(all)).rejects.toThrow('away');
  expect(await failed()).toBe(1);
  await expect(failing(new ReconcileBusy('busy'))(all)).rejects.toThrow('busy');
  const ended = { ...all, signal: AbortSignal.abort() };
  await expect(failing(new Unavailable('ended'))(ended)).rejects.toThrow('ended');
  expect(await failed()).toBe(1);
});

test('a MySQL that does not answer costs the scrape half a second, and only what it knows', async () => {
  const way = await startWay(engine.mysqlUrl);
  const database = openDatabase(way.url, 2);
  const metrics = createMetrics({ database, lanes: 1 });
  await madeUpRuns(engine).reconcile(all);
  expect((await scrape(metrics)).get('holdfast_drifts_open{lane="0"}')).toBe(0);
  way.set('stall');
  const startedAt = performance.now();
  // However many ask, MySQL is asked once.
  const scrapes = await Promise.all(Array.from({ length: 50 }, () => scrape(metrics)));
  expect(performance.now() - startedAt).toBeLessThan(SCRAPED_WITHIN_MS);
  for (const samples of scrapes) {
    expect(samples.get('holdfast_drifts_total{lane="0"}')).toBe(0);
    expect([...samples.keys()].filter((name) => /_open|reconciliation_/.test(name))).toEqual([]);
  }
  way.set('pass');
  await eventually(async () => {
    expect((await scrape(metrics)).get('holdfast_drifts_open{lane="0"}')).toBe(0);
  });
  await database.close();
  await way.close();
});
