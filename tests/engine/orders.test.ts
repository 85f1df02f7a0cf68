import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Holdfast } from '../../src/compose.ts';
import { newReservationId, orderId } from '../../src/domain/ids.ts';
import { expectBooksBalance } from '../support/books.ts';
import { atOnce, held, ordered, pay, tally, unique } from '../support/buying.ts';
import { makeProduct, seconds, startEngine, type TestEngine } from '../support/engine.ts';
import { redisNowMs, redisTimeAfter } from '../support/redis.ts';
import { eventually } from '../support/wait.ts';

let t: TestEngine;
let other: Holdfast;

beforeAll(async () => {
  t = await startEngine();
  other = await t.another();
});
afterEach(() => expectBooksBalance(t));
afterAll(() => t.stop());

const either = (index: number): Holdfast => (index % 2 === 0 ? t : other);
const order = (id: string, key = '') => t.engine.order(id, key, seconds(5));
const cancel = (id: string) => t.engine.cancel(id, seconds(5));
const rowOf = async (id: string) =>
  (await t.sql('SELECT * FROM orders WHERE id = ?', [orderId(id)]))[0];

test('P2: an order is committed in MySQL when it is answered', async () => {
  const product = await makeProduct(t, { payTtlMs: 60_000 });
  const { id, expiresAtMs } = await held(t, product, { qty: 2, buyer: 'ann' });
  const outcome = await order(id);
  const [row, holdRow] = [
    await rowOf(id),
    (await t.sql('SELECT * FROM holds WHERE id = ?', [`hold_${id}`]))[0],
  ];
  if (outcome.status !== 'ordered') throw new Error(outcome.status);
  const { createdAtMs, payByMs } = outcome.order;
  expect(outcome.order).toMatchObject({ id, state: 'pending', amountMinor: 3980, currency: 'USD' });
  expect(payByMs).toBe(createdAtMs + 60_000);
  expect(row).toMatchObject({
    hold_id: `hold_${id}`,
    state: 'pending',
    buyer: 'ann',
    amount_minor: 3980,
    currency: 'USD',
    reference: null,
    created_at: new Date(createdAtMs),
    pay_by: new Date(payByMs),
  });
  expect(holdRow).toMatchObject({ state: 'ordered', expires_at: new Date(expiresAtMs) });
  expect(await t.engine.readOrder(id, seconds(2))).toEqual(outcome.order);
});

test('P2: 100 orders at once are all committed when they are answered', async () => {
  const product = await makeProduct(t, { totalStock: 100 });
  const ids = await atOnce(100, async (index) => (await held(either(index), product)).id);
  await atOnce(100, async (index) => {
    const id = ids[index] ?? '';
    const outcome = await either(index).engine.order(id, '', seconds(5));
    expect(outcome.status).toBe('ordered');
    expect((await rowOf(id))?.state).toBe('pending');
  });
});

test('P4: an order repeated with its key gets the first answer again, whatever came of it', async () => {
  const product = await makeProduct(t);
  const [{ id }, another] = [await held(t, product), await held(t, product)];
  const key = unique('key');
  const outcomes = await atOnce(20, (index) => either(index).engine.order(id, key, seconds(5)));
  for (const outcome of outcomes) expect(outcome).toEqual(outcomes[0]);
  expect(outcomes[0]).toMatchObject({ status: 'ordered', order: { id, state: 'pending' } });
  await pay(t, id);
  expect(await order(id, key)).toEqual(outcomes[0]);
  expect(await order(another.id, key)).toEqual({ status: 'idempotency_mismatch' });
});

test('P4: of 20 orders of one hold at once without a key, one is made', async () => {
  const { id } = await held(t, await makeProduct(t));
  const outcomes = await atOnce(20, (index) => either(index).engine.order(id, '', seconds(5)));
  expect(tally(outcomes)).toEqual({ ordered: 1, hold_used: 19 });
  expect(await order(id)).toEqual({ status: 'hold_used', orderId: orderId(id) });
  expect(await t.engine.release(id, seconds(2))).toEqual({
    status: 'hold_used',
    orderId: orderId(id),
  });
});

test('a hold that was given back, ran out or is unknown makes no order', async () => {
  const product = await makeProduct(t, { holdTtlMs: 400 });
  const [released, expired] = [await held(t, product), await held(t, product)];
  await t.engine.release(released.id, seconds(2));
  expect(await order(released.id)).toEqual({ status: 'hold_released' });
  await redisTimeAfter(t.redis, expired.expiresAtMs);
  expect(await order(expired.id)).toEqual({ status: 'hold_expired' });
  expect(await t.engine.release(expired.id, seconds(2))).toEqual({ status: 'hold_expired' });
  expect(await t.engine.readHold(expired.id, seconds(2))).toEqual({ ...expired, state: 'expired' });
  for (const unknown of [newReservationId(0), newReservationId(5)]) {
    expect(await order(unknown)).toEqual({ status: 'hold_not_found' });
    expect(await cancel(unknown)).toEqual({ status: 'order_not_found' });
    expect(await t.engine.readOrder(unknown, seconds(2))).toBeUndefined();
  }
});

test('an order and the end of its hold at the same moment: exactly one wins', async () => {
  const product = await makeProduct(t, { totalStock: 60, holdTtlMs: 250 });
  const outcomes = await atOnce(60, async (index) => {
    const { id, expiresAtMs } = await held(either(index), product);
    // From 6 ms before the deadline to 5 ms behind it.
    await redisTimeAfter(t.redis, expiresAtMs - 6 + (index % 12));
    return { id, ...(await either(index).engine.order(id, '', seconds(5))) };
  });
  for (const { id, status } of outcomes) {
    expect(['ordered', 'hold_expired']).toContain(status);
    expect((await rowOf(id))?.state).toBe(status === 'ordered' ? 'pending' : undefined);
  }
  const won = tally(outcomes).ordered ?? 0;
  await eventually(async () => {
    const counters = { available: 60 - won, held: 0, pending: won };
    expect(await t.engine.readProduct(product.id, seconds(2))).toMatchObject(counters);
  });
});

test('an order and a release at the same moment: exactly one wins', async () => {
  const product = await makeProduct(t, { totalStock: 40 });
  const ids = await atOnce(40, async () => (await held(t, product)).id);
  const outcomes = await atOnce(40, async (index) => {
    const id = ids[index] ?? '';
    const calls = [
      () => either(index).engine.order(id, '', seconds(5)),
      () => either(index + 1).engine.release(id, seconds(5)),
    ];
    if (index % 4 < 2) calls.reverse();
    const both = await Promise.all(calls.map((call) => call()));
    return {
      id,
      status: both
        .map(({ status }) => status)
        .sort()
        .join(),
    };
  });
  for (const { id, status } of outcomes) {
    expect(['hold_used,ordered', 'hold_released,released']).toContain(status);
    expect((await rowOf(id))?.state).toBe(status === 'hold_used,ordered' ? 'pending' : undefined);
  }
});

test('a cancelled order gives its units back, once, and is committed when it is answered', async () => {
  const product = await makeProduct(t);
  const id = await ordered(t, product, { qty: 3 });
  const outcomes = await atOnce(20, (index) => either(index).engine.cancel(id, seconds(5)));
  expect((await rowOf(id))?.state).toBe('cancelled');
  expect(tally(outcomes)).toEqual({ cancelled: 20 });
  expect(outcomes[0]).toMatchObject({ order: { id, state: 'cancelled' } });
  expect(await cancel(id)).toMatchObject({ status: 'cancelled' });
  expect(await t.engine.readProduct(product.id, seconds(2))).toMatchObject({ available: 10 });
});

test('paid and expired orders, and holds without one, are not cancelled', async () => {
  const product = await makeProduct(t, { payTtlMs: 80 });
  const { id: hold } = await held(t, product);
  expect(await cancel(hold)).toEqual({ status: 'order_not_found' });
  const paid = await ordered(t, await makeProduct(t));
  await pay(t, paid);
  expect(await cancel(paid)).toEqual({ status: 'order_paid' });
  const late = await ordered(t, product);
  await redisTimeAfter(t.redis, (await redisNowMs(t.redis)) + 80);
  expect(await cancel(late)).toEqual({ status: 'order_expired' });
});

test('a cancellation and a payment at the same moment leave the order paid, units right', async () => {
  const product = await makeProduct(t, { totalStock: 40 });
  const ids = await atOnce(40, () => ordered(t, product));
  await atOnce(40, async (index) => {
    const id = ids[index] ?? '';
    const [cancelled, paid] = await Promise.all([
      either(index).engine.cancel(id, seconds(5)),
      pay(either(index + 1), id),
    ]);
    expect(['cancelled', 'order_paid']).toContain(cancelled.status);
    // Units were still there, so the payment that came second took them again.
    expect(paid).toEqual({ status: 'applied', orderState: 'paid' });
    expect((await rowOf(id))?.state).toBe('paid');
  });
});
