import { afterAll, beforeAll, expect, test } from 'vitest';
import { Unavailable } from '../../src/domain/unavailable.ts';
import { listen } from '../../src/http/server.ts';
import {
  type Reconcile,
  ReconcileBusy,
  type ReconcileRequest,
} from '../../src/recovery/reconcile/reconciliation.ts';
import { startEngine, type TestEngine } from '../support/engine.ts';
import { finding, madeUpRuns } from '../support/runs.ts';
import { eventually } from '../support/wait.ts';
import {
  ADMIN_TOKEN,
  AUTHORIZATION,
  appOn,
  clientOf,
  expectInvalid,
  expectProblem,
  ISO_TIME,
} from './support.ts';

let engine: TestEngine;

beforeAll(async () => {
  engine = await startEngine();
});
afterAll(() => engine.stop());

const clientWith = (reconcile: Reconcile) => clientOf(appOn(engine, { reconcile }));
const reconciled = (client: ReturnType<typeof clientWith>, body: unknown = {}) =>
  client.admin('POST', '/reconciliations', body);

const FINDING = {
  kind: 'redis_disagrees',
  lane: 0,
  product_id: 7,
  id: '',
  expected: { available: 10 },
  found: { available: 12 },
  units: 2,
  repair: 'sets the counters right',
  outcome: 'left',
};

test('a run is asked for, and answered with what it found', async () => {
  const { reconcile, requests, findings } = madeUpRuns(engine);
  findings.push(finding(), finding({ kind: 'lane', productId: null, found: 'closed', units: 0 }));
  const client = clientWith(reconcile);
  const { status, body } = await reconciled(client);
  expect(status).toBe(200);
  expect(body).toEqual({
    id: expect.stringMatching(/^\S+$/),
    cause: 'request',
    product_id: null,
    fix: false,
    started_at: expect.stringMatching(ISO_TIME),
    finished_at: expect.stringMatching(ISO_TIME),
    products: 1,
    reservations: 0,
    drift: 2,
    found: 2,
    repaired: 0,
    findings: [FINDING, { ...FINDING, kind: 'lane', product_id: null, found: 'closed', units: 0 }],
  });
  const one = await reconciled(client, { product_id: 7, fix: true });
  expect(one.body).toMatchObject({ product_id: 7, fix: true });
  expect(requests).toMatchObject([
    { productId: null, fixes: false, cause: 'request', isPaced: true },
    { productId: 7, fixes: true, cause: 'request', isPaced: false },
  ]);
});

test('the newest runs are listed, with their first findings', async () => {
  const { reconcile, findings } = madeUpRuns(engine);
  const client = clientWith(reconcile);
  for (let id = 1; id <= 150; id += 1) findings.push(finding({ productId: id }));
  const ids: unknown[] = [];
  for (let count = 0; count < 22; count += 1) ids.unshift((await reconciled(client)).body.id);
  const { status, body } = await client.admin('GET', '/reconciliations');
  expect(status).toBe(200);
  const runs = body.reconciliations as Record<string, unknown>[];
  expect(runs.map(({ id }) => id).sort()).toEqual(ids.slice(0, 20).sort());
  const { findings: told, ...run } = runs[0] ?? {};
  expect(told).toHaveLength(100);
  expect((told as unknown[])[0]).toEqual({ ...FINDING, product_id: 1 });
  expect(run).toEqual({
    id: expect.any(String),
    cause: 'request',
    product_id: null,
    fix: false,
    started_at: expect.stringMatching(ISO_TIME),
    finished_at: expect.stringMatching(ISO_TIME),
    drift: 300,
    found: 150,
    repaired: 0,
  });
});

test('the overview tells of the newest run of all books', async () => {
  const { reconcile, findings } = madeUpRuns(engine);
  const client = clientWith(reconcile);
  const newest = async () => (await client.admin('GET', '/overview')).body.reconciliation;
  findings.push(finding());
  const { id, finished_at } = (await reconciled(client)).body;
  const told = {
    id,
    finished_at: expect.stringMatching(ISO_TIME),
    drift: 2,
    found: 1,
    repaired: 0,
  };
  expect(await newest()).toEqual(told);
  expect(finished_at).toMatch(ISO_TIME);
  findings.length = 0;
  await reconciled(client, { product_id: 7 });
  expect(await newest()).toEqual(told);
  await reconciled(client);
  expect(await newest()).toMatchObject({ drift: 0, found: 0 });
});

test('the overview counts open drifts and dead letters of all lanes', async () => {
  const { admin } = clientOf(appOn(engine));
  await engine.sql('UPDATE lanes SET drifts = 2, dead_letters = 3');
  expect((await admin('GET', '/overview')).body).toMatchObject({ drifts: 2, dead_letters: 3 });
  await engine.sql('UPDATE lanes SET drifts = 0, dead_letters = 0');
  expect((await admin('GET', '/overview')).body).toMatchObject({ drifts: 0, dead_letters: 0 });
});

test('a request that cannot be meant is refused, and nothing runs', async () => {
  const { reconcile, requests } = madeUpRuns(engine);
  const client = clientWith(reconcile);
  const wrong: [body: unknown, fields: string[]][] = [
    [{ product_id: 0 }, ['product_id']],
    [{ product_id: '7' }, ['product_id']],
    [{ product_id: null }, ['product_id']],
    [{ fix: 'yes' }, ['fix']],
    [{ fix: 1, product_id: 1.5 }, ['fix', 'product_id']],
    [{ fixes: true }, ['fixes']],
    [[], ['body']],
  ];
  for (const [body, fields] of wrong) expectInvalid(await reconciled(client, body), fields);
  expectProblem(await reconciled(client, '{'), 'malformed_json');
  const bytes = new TextEncoder().encode('{"fix": true}');
  const untyped = await client.untyped('POST', '/api/admin/reconciliations', bytes);
  expectProblem(untyped, 'unsupported_media_type');
  expect(requests).toEqual([]);
});

test('a product that neither store knows is not found', async () => {
  const { reconcile } = madeUpRuns(engine);
  const nobody: Reconcile = async (request) => ({ ...(await reconcile(request)), products: 0 });
  const client = clientWith(nobody);
  expectProblem(await reconciled(client, { product_id: 7 }), 'product_not_found', {
    product_id: 7,
  });
  // A shop without products has books that agree.
  expect((await reconciled(client)).status).toBe(200);
});

test('while another one is at work it is busy, here or elsewhere', async () => {
  let end = () => {};
  const gate = new Promise<void>((resolve) => {
    end = resolve;
  });
  const { reconcile, requests } = madeUpRuns(engine, () => gate);
  const client = clientWith(reconcile);
  const first = reconciled(client);
  await eventually(() => expect(requests).toHaveLength(1));
  expectProblem(await reconciled(client), 'reconcile_busy');
  end();
  expect((await first).status).toBe(200);
  expect((await reconciled(client)).status).toBe(200);
  const elsewhere = clientWith(() => Promise.reject(new ReconcileBusy('another one repairs')));
  expectProblem(await reconciled(elsewhere, { fix: true }), 'reconcile_busy');
  const away = clientWith(() => Promise.reject(new Unavailable('MySQL is away')));
  expectProblem(await reconciled(away), 'unavailable');
  // A failed one is not in the way of the next.
  expectProblem(await reconciled(away), 'unavailable');
});

test('who hangs up ends the run', async () => {
  const untilAborted = ({ signal }: ReconcileRequest) =>
    new Promise<void>((_, reject) => {
      signal?.addEventListener('abort', () => reject(new Unavailable('ended early')));
    });
  const { reconcile, requests } = madeUpRuns(engine, untilAborted);
  const app = appOn(engine, { reconcile, adminToken: ADMIN_TOKEN });
  const server = await listen(app, { host: '127.0.0.1', port: 0 });
  const caller = new AbortController();
  const asking = fetch(`${server.url}/api/admin/reconciliations`, {
    method: 'POST',
    headers: { ...AUTHORIZATION, 'Content-Type': 'application/json' },
    body: '{}',
    signal: caller.signal,
  });
  await eventually(() => expect(requests).toHaveLength(1));
  expect(requests[0]?.signal?.aborted).toBe(false);
  caller.abort();
  await expect(asking).rejects.toThrow();
  await eventually(() => expect(requests[0]?.signal?.aborted).toBe(true));
  await server.close();
});
