import { afterAll, beforeAll, expect, test } from 'vitest';
import { holdId, orderId } from '../../src/domain/ids.ts';
import { expectBooksBalance } from '../support/books.ts';
import { atOnce, held, unique } from '../support/buying.ts';
import { makeProduct, ownEngine, startEngine, type TestEngine } from '../support/engine.ts';
import { eventually } from '../support/wait.ts';
import {
  appOn,
  type Client,
  clientOf,
  expectInvalid,
  expectProblem,
  HOLD_ID,
  ISO_TIME,
  unknownIds,
} from './support.ts';

const HOUR_MS = 3_600_000;

let engine: TestEngine;
let client: Client;

beforeAll(async () => {
  engine = await startEngine();
  client = clientOf(appOn(engine));
});
afterAll(async () => {
  await expectBooksBalance(engine);
  await engine.stop();
});

const take = (productId: number, qty = 1, more: object = {}) =>
  client.post('/api/holds', { product_id: productId, qty, ...more });

test('a hold of one product', async () => {
  const { id } = await makeProduct(engine);
  const before = Date.now();
  const { status, headers, body } = await take(id, 2, { buyer: 'ann@example.org' });
  expect(status).toBe(201);
  expect(body).toEqual({
    hold_id: expect.stringMatching(HOLD_ID),
    status: 'held',
    product_id: id,
    qty: 2,
    items: [{ product_id: id, qty: 2 }],
    amount: '39.80',
    currency: 'USD',
    expires_at: expect.stringMatching(ISO_TIME),
  });
  const leftMs = Date.parse(String(body.expires_at)) - before;
  expect(Math.abs(leftMs - engine.config.holdTtlMs)).toBeLessThan(5_000);
  expect(headers.get('location')).toBe(`/api/holds/${body.hold_id}`);
  const read = await client.get(String(headers.get('location')));
  expect(read.status).toBe(200);
  expect(read.body).toEqual(body);
});

test('a hold of several products has items only, added up and sorted', async () => {
  const first = await makeProduct(engine);
  const second = await makeProduct(engine, { priceMinor: 100 });
  const items = [
    { product_id: second.id, qty: 1 },
    { product_id: first.id, qty: 1 },
    { product_id: second.id, qty: 2 },
  ];
  const { status, body } = await client.post('/api/holds', { items });
  expect(status).toBe(201);
  expect(body).toEqual({
    hold_id: expect.stringMatching(HOLD_ID),
    status: 'held',
    items: [
      { product_id: first.id, qty: 1 },
      { product_id: second.id, qty: 3 },
    ],
    amount: '22.90',
    currency: 'USD',
    expires_at: expect.stringMatching(ISO_TIME),
  });
  expect((await client.get(`/api/holds/${body.hold_id}`)).body).toEqual(body);
});

test('the same product twice in one request takes its units once each', async () => {
  const { id } = await makeProduct(engine, { totalStock: 3 });
  const twice = { items: [1, 2].map(() => ({ product_id: id, qty: 2 })) };
  expectProblem(await client.post('/api/holds', twice), 'sold_out', { available: 3 });
  const { body } = await client.get(`/api/products/${id}`);
  expect(body).toMatchObject({ available_stock: 3, held: 0 });
});

test('sold out tells what is available and when to come back', async () => {
  const { id } = await makeProduct(engine, { totalStock: 3 });
  await take(id, 2);
  const refused = await take(id, 2);
  expectProblem(refused, 'sold_out', { product_id: id, available: 1 });
  const waitMs = Number(refused.body.retry_after_ms);
  expect(waitMs).toBeGreaterThan(0);
  expect(waitMs).toBeLessThanOrEqual(engine.config.holdTtlMs);
  expect(refused.headers.get('retry-after')).toBe(String(Math.ceil(waitMs / 1000)));
  expectProblem(await take((await makeProduct(engine, { totalStock: 0 })).id), 'sold_out', {
    available: 0,
  });
});

test('many buyers at once get exactly the stock', async () => {
  const { id } = await makeProduct(engine, { totalStock: 25 });
  const answers = await atOnce(100, () => take(id));
  const granted = answers.filter(({ status }) => status === 201);
  expect(granted).toHaveLength(25);
  expect(new Set(granted.map(({ body }) => body.hold_id)).size).toBe(25);
  for (const answer of answers) {
    if (answer.status !== 201) expectProblem(answer, 'sold_out', { product_id: id });
  }
});

test('the window of a sale and a pause refuse', async () => {
  const startsAtMs = Date.now() + HOUR_MS;
  const later = await makeProduct(engine, { startsAtMs });
  const early = await take(later.id);
  expectProblem(early, 'sale_not_started', {
    product_id: later.id,
    starts_at: new Date(startsAtMs).toISOString(),
  });
  const seconds = Number(early.headers.get('retry-after'));
  expect(seconds).toBeGreaterThan(3_500);
  expect(seconds).toBeLessThanOrEqual(3_601);
  const endsAtMs = Date.now() - HOUR_MS;
  const over = await makeProduct(engine, { endsAtMs });
  expectProblem(await take(over.id), 'sale_ended', {
    product_id: over.id,
    ends_at: new Date(endsAtMs).toISOString(),
  });
  const paused = await makeProduct(engine);
  await client.admin('POST', `/products/${paused.id}/pause`);
  expectProblem(await take(paused.id), 'sale_paused', { product_id: paused.id });
});

test('limits per hold and per buyer refuse', async () => {
  const { id } = await makeProduct(engine, { maxPerHold: 3, maxPerBuyer: 4 });
  expectProblem(await take(id, 4, { buyer: 'bob' }), 'qty_above_limit', {
    product_id: id,
    max_per_hold: 3,
  });
  expectInvalid(await take(id, 1), ['buyer']);
  expect((await take(id, 3, { buyer: 'bob' })).status).toBe(201);
  expectProblem(await take(id, 2, { buyer: 'bob' }), 'buyer_limit', {
    product_id: id,
    max_per_buyer: 4,
    units: 3,
  });
  expect((await take(id, 2, { buyer: 'eve' })).status).toBe(201);
});

test('items in different currencies, or unknown ones, refuse', async () => {
  const dollars = await makeProduct(engine);
  const yen = await makeProduct(engine, { currency: 'JPY' });
  const items = [dollars.id, yen.id].map((product_id) => ({ product_id, qty: 1 }));
  expectProblem(await client.post('/api/holds', { items }), 'mixed_currencies');
  for (const product_id of [999_999_999, Number.MAX_SAFE_INTEGER]) {
    expectProblem(await take(product_id), 'product_not_found', { product_id });
    const mixed = {
      items: [
        { product_id: dollars.id, qty: 1 },
        { product_id, qty: 1 },
      ],
    };
    expectProblem(await client.post('/api/holds', mixed), 'product_not_found', { product_id });
  }
});

test('items in different lanes refuse', async () => {
  const lanes = await ownEngine({ config: { lanes: 2 } }, expectBooksBalance);
  const here = await makeProduct(lanes, { lane: 0 });
  const there = await makeProduct(lanes, { lane: 1 });
  const items = [here.id, there.id].map((product_id) => ({ product_id, qty: 1 }));
  const answer = await clientOf(appOn(lanes)).post('/api/holds', { items });
  expectProblem(answer, 'items_in_different_lanes');
});

test('a repeat with its Idempotency-Key gets the first hold again', async () => {
  const { id } = await makeProduct(engine);
  const body = { product_id: id, qty: 2, buyer: 'ann' };
  const headers = { 'Idempotency-Key': unique('hold') };
  const answers = await atOnce(5, () => client.post('/api/holds', body, headers));
  for (const answer of answers) {
    expect(answer.status).toBe(201);
    expect(answer.body).toEqual(answers[0]?.body);
  }
  const asItems = { items: [{ product_id: id, qty: 2 }], buyer: 'ann' };
  expect((await client.post('/api/holds', asItems, headers)).body).toEqual(answers[0]?.body);
  for (const other of [{ qty: 1 }, { buyer: 'eve' }, { buyer: undefined }]) {
    const refused = await client.post('/api/holds', { ...body, ...other }, headers);
    expectProblem(refused, 'idempotency_mismatch');
  }
  expect((await client.get(`/api/products/${id}`)).body).toMatchObject({ held: 2 });
});

test('a release gives the units back, once', async () => {
  const { id } = await makeProduct(engine);
  const { body: hold } = await take(id, 4);
  const path = `/api/holds/${hold.hold_id}`;
  for (const answer of [await client.remove(path), await client.remove(path)]) {
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({ ...hold, status: 'released' });
  }
  expect((await client.get(path)).body).toEqual({ ...hold, status: 'released' });
  expect((await client.get(`/api/products/${id}`)).body).toMatchObject({
    available_stock: 10,
    held: 0,
  });
});

test('a hold that became an order names it, and cannot be released', async () => {
  const hold = await held(engine, await makeProduct(engine));
  const path = `/api/holds/${holdId(hold.id)}`;
  const order_id = orderId(hold.id);
  await client.post('/api/orders', { hold_id: holdId(hold.id) });
  expectProblem(await client.remove(path), 'hold_used', { order_id });
  const { status, body } = await client.get(path);
  expect(status).toBe(200);
  const expires_at = new Date(hold.expiresAtMs).toISOString();
  expect(body).toMatchObject({ status: 'ordered', order_id, qty: 1, expires_at });
});

test('an expired hold is told as such, and cannot be released', async () => {
  const product = await makeProduct(engine, { holdTtlMs: 1_000 });
  const { id } = await held(engine, product);
  const path = `/api/holds/${holdId(id)}`;
  const { body } = await eventually(async () => {
    const answer = await client.get(path);
    expect(answer.body.status).toBe('expired');
    return answer;
  });
  expect(body).toMatchObject({ hold_id: holdId(id), qty: 1 });
  expectProblem(await client.remove(path), 'hold_expired');
});

test.for(unknownIds('hold'))('hold %s is not found', async (id) => {
  expectProblem(await client.get(`/api/holds/${id}`), 'hold_not_found');
  expectProblem(await client.remove(`/api/holds/${id}`), 'hold_not_found');
});
