import { afterAll, beforeAll, expect, test } from 'vitest';
import { expectBooksBalance } from '../support/books.ts';
import { atOnce, held, ordered, unique } from '../support/buying.ts';
import { makeProduct, startEngine, type TestEngine } from '../support/engine.ts';
import { appOn, type Client, clientOf, expectInvalid, expectProblem } from './support.ts';

let engine: TestEngine;
let client: Client;

beforeAll(async () => {
  engine = await startEngine({ config: { lanes: 2 } });
  client = clientOf(appOn(engine));
});
afterAll(async () => {
  await expectBooksBalance(engine);
  await engine.stop();
});

test('stock goes up and down, once for each key', async () => {
  const product = await makeProduct(engine);
  const path = `/products/${product.id}/stock`;
  const adjust = (delta: number, key = unique('stock')) =>
    client.admin('POST', path, { delta, key });
  await held(engine, product, { qty: 2 });
  await ordered(engine, product, { qty: 3 });
  const key = unique('stock');
  for (const { status, body } of await atOnce(3, () => adjust(5, key))) {
    expect(status).toBe(200);
    expect(body).toMatchObject({ total_stock: 15, available_stock: 10, held: 2, pending: 3 });
  }
  expectProblem(await adjust(6, key), 'idempotency_mismatch');
  expectProblem(await adjust(-11), 'insufficient_available', { available: 10 });
  expect((await adjust(-10)).body).toMatchObject({ total_stock: 5, available_stock: 0 });
});

test.for<[object, string[]]>([
  [{ delta: 0 }, ['delta']],
  [{ delta: 1.5 }, ['delta']],
  [{ delta: '5' }, ['delta']],
  [{ delta: 1_000_000_001 }, ['delta']],
  [{ delta: -1_000_000_001 }, ['delta']],
  [{ delta: undefined }, ['delta']],
  [{ key: undefined }, ['key']],
  [{ key: '' }, ['key']],
  [{ key: 'a b' }, ['key']],
  [{ key: 'k'.repeat(129) }, ['key']],
  [{ reason: 'x' }, ['reason']],
])('an adjustment with %j is refused', async ([change, fields]) => {
  const { id } = await makeProduct(engine);
  const body = { delta: 1, key: unique('stock'), ...change };
  expectInvalid(await client.admin('POST', `/products/${id}/stock`, body), fields);
});

test('a pause stops a sale until it is resumed', async () => {
  const { id } = await makeProduct(engine);
  for (const [call, status] of [
    ['pause', 'paused'],
    ['pause', 'paused'],
    ['resume', 'active'],
  ]) {
    const answer = await client.admin('POST', `/products/${id}/${call}`);
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({ id, status });
  }
  expect((await client.post('/api/holds', { product_id: id, qty: 1 })).status).toBe(201);
});

test('the overview has every product and every lane', async () => {
  const product = await makeProduct(engine, { lane: 1 });
  await held(engine, product);
  const { status, body } = await client.admin('GET', '/overview');
  expect(status).toBe(200);
  expect(body).toEqual({
    products: expect.arrayContaining([expect.objectContaining({ id: product.id, held: 1 })]),
    lanes: [0, 1].map((lane) => ({
      lane,
      state: 'open',
      epoch: expect.any(Number),
      position: expect.stringMatching(/^\d+-\d+$/),
      watermark: expect.stringMatching(/^(\d+-\d+)?$/),
      outbox_length: expect.any(Number),
      backlog: expect.any(Number),
      lag_ms: expect.any(Number),
      live_reservations: expect.any(Number),
    })),
    refunds_due: 0,
    open_receipts: 0,
    dead_letters: 0,
    drifts: 0,
    reconciliation: null,
  });
});
