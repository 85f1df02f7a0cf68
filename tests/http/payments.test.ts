import { afterAll, beforeAll, expect, test } from 'vitest';
import { orderId } from '../../src/domain/ids.ts';
import { expectBooksBalance } from '../support/books.ts';
import { atOnce, held, ordered, unique } from '../support/buying.ts';
import { makeProduct, startEngine, type TestEngine } from '../support/engine.ts';
import { eventually } from '../support/wait.ts';
import { appOn, type Client, clientOf, expectProblem } from './support.ts';

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

const WEBHOOK = '/api/payments/webhook';
const post = (order_id: string, status: string, reference = unique('pay')) =>
  client.post(WEBHOOK, { order_id, reference, status });

test('the first success pays, its repeats are duplicates, another one is a refund', async () => {
  const order_id = orderId(await ordered(engine, await makeProduct(engine)));
  const reference = unique('pay');
  const answers = await atOnce(4, () => post(order_id, 'success', reference));
  for (const { status } of answers) expect(status).toBe(200);
  const paid = { order_id, order_status: 'paid', reference };
  const tellings = answers.map(({ body }) => body);
  expect(tellings).toContainEqual({ status: 'applied', ...paid });
  const repeats = tellings.filter(({ status }) => status !== 'applied');
  expect(repeats).toHaveLength(3);
  for (const body of repeats)
    expect(body).toEqual({ status: 'duplicate', outcome: 'applied', ...paid });
  const again = await post(order_id, 'success');
  expect(again.body).toMatchObject({ status: 'refund_due', order_status: 'paid' });
  const late = await post(order_id, 'failed');
  expect(late.body).toMatchObject({ status: 'ignored', order_status: 'paid' });
});

test('a failure cancels and gives the units back', async () => {
  const product = await makeProduct(engine);
  const order_id = orderId(await ordered(engine, product, { qty: 4 }));
  const reference = unique('pay');
  const { status, body } = await post(order_id, 'failed', reference);
  expect(status).toBe(200);
  expect(body).toEqual({ status: 'applied', order_id, order_status: 'cancelled', reference });
  const read = await client.get(`/api/products/${product.id}`);
  expect(read.body).toMatchObject({ available_stock: 10, pending: 0 });
});

test('a late success pays while there are units, and is a refund otherwise', async () => {
  const product = await makeProduct(engine, { totalStock: 1, payTtlMs: 1_000 });
  const expired = async () => {
    const id = await ordered(engine, product);
    await eventually(async () => {
      const { body } = await client.get(`/api/orders/${orderId(id)}`);
      expect(body.status).toBe('expired');
    });
    return orderId(id);
  };
  const first = await expired();
  const second = await expired();
  expect((await post(first, 'success')).body).toMatchObject({
    status: 'applied',
    order_status: 'paid',
  });
  expect((await post(second, 'success')).body).toMatchObject({
    status: 'refund_due',
    order_status: 'refund_due',
  });
});

test('a reference of another order or status is a conflict', async () => {
  const product = await makeProduct(engine);
  const [first, second] = [await ordered(engine, product), await ordered(engine, product)];
  const reference = unique('pay');
  await post(orderId(first), 'success', reference);
  expectProblem(await post(orderId(second), 'success', reference), 'reference_conflict');
  expectProblem(await post(orderId(first), 'failed', reference), 'reference_conflict');
});

test('an event of an unknown order is 422, and kept', async () => {
  for (const order_id of ['order_01jzc000000000000000000000', 'nobody', 'ü'.repeat(64)]) {
    const reference = unique('pay');
    const answer = await post(order_id, 'success', reference);
    expectProblem(answer, 'order_not_found', {}, 422);
    const [row] = await engine.sql('SELECT * FROM payment_events WHERE reference = ?', [reference]);
    expect(row).toMatchObject({ order_id, status: 'success', outcome: null });
  }
});

test('an event that came before its order is applied by the repeat', async () => {
  const { id } = await held(engine, await makeProduct(engine));
  const reference = unique('pay');
  expectProblem(await post(orderId(id), 'success', reference), 'order_not_found', {}, 422);
  await client.post('/api/orders', { hold_id: `hold_${id}` });
  const { status, body } = await post(orderId(id), 'success', reference);
  expect(status).toBe(200);
  expect(body).toMatchObject({ order_status: 'paid', reference });
});
