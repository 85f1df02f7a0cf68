import { afterAll, beforeAll, expect, test } from 'vitest';
import { holdId, orderId } from '../../src/domain/ids.ts';
import { expectBooksBalance } from '../support/books.ts';
import { atOnce, held, ordered, pay, unique } from '../support/buying.ts';
import { makeProduct, startEngine, type TestEngine } from '../support/engine.ts';
import { eventually } from '../support/wait.ts';
import {
  appOn,
  type Client,
  clientOf,
  expectProblem,
  ISO_TIME,
  ORDER_ID,
  unknownIds,
} from './support.ts';

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

const order = (hold_id: string, headers?: Record<string, string>) =>
  client.post('/api/orders', { hold_id }, headers);

test('an order of a hold, its reading and its cancellation', async () => {
  const product = await makeProduct(engine);
  const { id } = await held(engine, product, { qty: 3 });
  const { status, headers, body } = await order(holdId(id));
  expect(status).toBe(201);
  expect(body).toEqual({
    order_id: expect.stringMatching(ORDER_ID),
    hold_id: holdId(id),
    status: 'pending',
    items: [{ product_id: product.id, qty: 3 }],
    amount: '59.70',
    currency: 'USD',
    pay_by: expect.stringMatching(ISO_TIME),
  });
  const path = `/api/orders/${body.order_id}`;
  expect(headers.get('location')).toBe(path);
  const leftMs = Date.parse(String(body.pay_by)) - Date.now();
  expect(Math.abs(leftMs - engine.config.payTtlMs)).toBeLessThan(5_000);
  const told = {
    created_at: expect.stringMatching(ISO_TIME),
    payment: null,
    refunded_at: null,
    units_returned: false,
  };
  expect((await client.get(path)).body).toEqual({ ...body, ...told });
  for (const answer of [await client.remove(path), await client.remove(path)]) {
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({ ...body, status: 'cancelled', ...told });
  }
  expect((await client.get(`/api/products/${product.id}`)).body).toMatchObject({
    available_stock: 10,
    pending: 0,
  });
});

test('a paid order tells its payment, and cannot be cancelled', async () => {
  const id = await ordered(engine, await makeProduct(engine));
  const reference = unique('pay');
  await pay(engine, id, 'success', reference);
  const path = `/api/orders/${orderId(id)}`;
  const { body } = await client.get(path);
  expect(body).toMatchObject({
    status: 'paid',
    payment: { reference, settled_at: expect.stringMatching(ISO_TIME) },
  });
  expectProblem(await client.remove(path), 'order_paid');
});

test('an unpaid order expires, and cannot be cancelled then', async () => {
  const id = await ordered(engine, await makeProduct(engine, { payTtlMs: 1_000 }));
  const path = `/api/orders/${orderId(id)}`;
  await eventually(async () => {
    expect((await client.get(path)).body).toMatchObject({ status: 'expired', payment: null });
  });
  expectProblem(await client.remove(path), 'order_expired');
});

test('a hold becomes at most one order', async () => {
  const { id } = await held(engine, await makeProduct(engine));
  const answers = await atOnce(5, () => order(holdId(id)));
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
  for (const answer of answers) {
    if (answer.status !== 201) expectProblem(answer, 'hold_used', { order_id: orderId(id) });
  }
});

test('a repeat with its Idempotency-Key gets the first order again', async () => {
  const product = await makeProduct(engine);
  const { id } = await held(engine, product);
  const headers = { 'Idempotency-Key': unique('order') };
  const answers = await atOnce(4, () => order(holdId(id), headers));
  for (const answer of answers) {
    expect(answer.status).toBe(201);
    expect(answer.body).toEqual(answers[0]?.body);
  }
  const other = await held(engine, product);
  expectProblem(await order(holdId(other.id), headers), 'idempotency_mismatch');
});

test('holds that ended refuse', async () => {
  const released = await held(engine, await makeProduct(engine));
  await client.remove(`/api/holds/${holdId(released.id)}`);
  expectProblem(await order(holdId(released.id)), 'hold_released');
  const expired = await held(engine, await makeProduct(engine, { holdTtlMs: 1_000 }));
  await eventually(async () => {
    const { body } = await client.get(`/api/holds/${holdId(expired.id)}`);
    expect(body.status).toBe('expired');
  });
  expectProblem(await order(holdId(expired.id)), 'hold_expired');
});

test.for(unknownIds('hold'))('an order of hold %s is refused', async (id) => {
  expectProblem(await order(id), 'hold_not_found');
});

test.for(unknownIds('order'))('order %s is not found', async (id) => {
  expectProblem(await client.get(`/api/orders/${id}`), 'order_not_found');
  expectProblem(await client.remove(`/api/orders/${id}`), 'order_not_found');
});

test('a hold is no order', async () => {
  const { id } = await held(engine, await makeProduct(engine));
  expectProblem(await client.get(`/api/orders/${orderId(id)}`), 'order_not_found');
  expectProblem(await client.remove(`/api/orders/${orderId(id)}`), 'order_not_found');
});
