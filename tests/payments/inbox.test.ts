import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Holdfast } from '../../src/compose.ts';
import { newReservationId, orderId } from '../../src/domain/ids.ts';
import type { PaymentOutcome } from '../../src/domain/outcomes.ts';
import { reservationKey } from '../../src/redis/keys.ts';
import { drained, expectBooksBalance } from '../support/books.ts';
import { atOnce, held, hold, ordered, pay, tally, unique } from '../support/buying.ts';
import { makeProduct, seconds, startEngine, type TestEngine } from '../support/engine.ts';
import { redisTimeAfter } from '../support/redis.ts';

let t: TestEngine;
let other: Holdfast;

beforeAll(async () => {
  t = await startEngine();
  other = await t.another();
});
afterEach(() => expectBooksBalance(t));
afterAll(() => t.stop());

const either = (index: number): Holdfast => (index % 2 === 0 ? t : other);
const receiptOf = async (reference: string) =>
  (await t.sql('SELECT * FROM payment_events WHERE reference = ?', [reference]))[0];
const orderOf = (id: string) => t.engine.readOrder(id, seconds(2));

/** Whichever event came first may have been let act by another one of its order. */
const whatBecame = (it: PaymentOutcome) => ({
  status: it.status === 'duplicate' ? it.outcome : it.status,
});

/** An order whose time to pay is over; its units are back. */
async function expiredOrder(what: { id: number }, qty: number): Promise<string> {
  const id = await ordered(t, what, { qty });
  await redisTimeAfter(t.redis, (await orderOf(id))?.payByMs ?? Number.NaN);
  expect(await t.engine.cancel(id, seconds(5))).toEqual({ status: 'order_expired' });
  return id;
}

test('the first success pays a pending order, committed when it is answered', async () => {
  const product = await makeProduct(t);
  const id = await ordered(t, product, { qty: 2 });
  const reference = unique('pay');
  expect(await pay(t, id, 'success', reference)).toEqual({ status: 'applied', orderState: 'paid' });
  expect(await receiptOf(reference)).toMatchObject({
    order_id: orderId(id),
    status: 'success',
    outcome: 'applied',
    order_state: 'paid',
    decided_at: expect.any(Date),
  });
  expect(await orderOf(id)).toMatchObject({ state: 'paid', reference });
  const counters = { available: 8, pending: 0, sold: 2 };
  expect(await t.engine.readProduct(product.id, seconds(2))).toMatchObject(counters);
});

test('the first failure cancels a pending order, and its units come back', async () => {
  const product = await makeProduct(t, { maxPerBuyer: 2 });
  const id = await ordered(t, product, { qty: 2, buyer: 'ann' });
  const reference = unique('pay');
  const cancelled = { status: 'applied', orderState: 'cancelled' };
  expect(await pay(t, id, 'failed', reference)).toEqual(cancelled);
  expect(await receiptOf(reference)).toMatchObject({ status: 'failed', outcome: 'applied' });
  expect(await orderOf(id)).toMatchObject({ state: 'cancelled', reference });
  expect(await hold(t, product, { qty: 2, buyer: 'ann' })).toMatchObject({ status: 'held' });
});

test('P4: one webhook delivered 20 times at once is applied once', async () => {
  for (const status of ['success', 'failed'] as const) {
    const id = await ordered(t, await makeProduct(t), { qty: 2 });
    const orderState = status === 'success' ? 'paid' : 'cancelled';
    const reference = unique('pay');
    const outcomes = await atOnce(20, (index) => pay(either(index), id, status, reference));
    expect(tally(outcomes)).toEqual({ applied: 1, duplicate: 19 });
    const duplicate = { status: 'duplicate', outcome: 'applied', orderState };
    for (const outcome of outcomes) {
      if (outcome.status === 'duplicate') expect(outcome).toEqual(duplicate);
    }
    expect(await pay(t, id, status, reference)).toEqual(duplicate);
    const [row] = await t.sql('SELECT version FROM orders WHERE id = ?', [orderId(id)]);
    expect(row, 'one transition after the order itself').toEqual({ version: 3 });
  }
});

test('P4: one late webhook delivered 20 times at once is due for one refund', async () => {
  const product = await makeProduct(t, { totalStock: 2, payTtlMs: 60 });
  const id = await expiredOrder(product, 2);
  await held(t, product);
  const reference = unique('pay');
  const outcomes = await atOnce(20, (index) => pay(either(index), id, 'success', reference));
  expect(tally(outcomes)).toEqual({ refund_due: 1, duplicate: 19 });
});

test('P5: a second success of a paid order is due for a refund; the order stays paid', async () => {
  const id = await ordered(t, await makeProduct(t));
  const [first, second] = [unique('pay'), unique('pay')];
  await pay(t, id, 'success', first);
  const due = { status: 'refund_due', orderState: 'paid' };
  expect(await pay(t, id, 'success', second)).toEqual(due);
  expect(await receiptOf(second)).toMatchObject({ outcome: 'refund_due', order_state: 'paid' });
  expect(await orderOf(id)).toMatchObject({ state: 'paid', reference: first });
  const repeated = { status: 'duplicate', outcome: 'refund_due', orderState: 'paid' };
  expect(await pay(t, id, 'success', second)).toEqual(repeated);
  expect(await pay(t, id, 'success', first)).toMatchObject({ outcome: 'applied' });
});

test('P5: of 10 different payments of one order at once, one is applied, 9 are refunded', async () => {
  const id = await ordered(t, await makeProduct(t));
  const outcomes = await atOnce(10, (index) => pay(either(index), id));
  expect(tally(outcomes.map(whatBecame))).toEqual({ applied: 1, refund_due: 9 });
  const { refundsDue } = await t.engine.admin.overview(seconds(2));
  const [row] = await t.sql(
    "SELECT COUNT(*) AS due FROM payment_events WHERE outcome = 'refund_due'",
  );
  expect(refundsDue).toBe(row?.due);
});

test('a reference used for another order or another status is a conflict', async () => {
  const product = await makeProduct(t);
  const [id, another] = [await ordered(t, product), await ordered(t, product)];
  const reference = unique('pay');
  await pay(t, id, 'success', reference);
  const conflict = { status: 'reference_conflict' };
  expect(await pay(t, id, 'failed', reference)).toEqual(conflict);
  expect(await pay(t, another, 'success', reference)).toEqual(conflict);
  expect(await orderOf(id)).toMatchObject({ state: 'paid' });
  expect(await orderOf(another)).toMatchObject({ state: 'pending' });
  expect(await receiptOf(reference)).toMatchObject({ order_id: orderId(id), status: 'success' });
});

test('P5: an event of an unknown order is kept', async () => {
  const events = [orderId(newReservationId(0)), orderId(newReservationId(9)), 'order_1', 'Ω?'];
  for (const unknown of events) {
    const event = { orderId: unknown, reference: unique('pay'), status: 'success' as const };
    expect(await t.inbox.receive(event, seconds(5))).toEqual({ status: 'order_not_found' });
    expect(await t.inbox.receive(event, seconds(5))).toEqual({ status: 'order_not_found' });
    expect(await receiptOf(event.reference)).toMatchObject({ order_id: unknown, outcome: null });
  }
});

test('P5: a webhook that comes before its order is kept, and applied when it is sent again', async () => {
  const { id } = await held(t, await makeProduct(t));
  const reference = unique('pay');
  expect(await pay(t, id, 'success', reference)).toEqual({ status: 'order_not_found' });
  expect(await receiptOf(reference)).toMatchObject({ outcome: null });
  expect(await t.engine.order(id, '', seconds(5))).toMatchObject({ status: 'ordered' });
  expect(await pay(t, id, 'success', reference)).toEqual({ status: 'applied', orderState: 'paid' });
});

test('P5: a success after the end takes the units again while they are there', async () => {
  const product = await makeProduct(t, { payTtlMs: 60 });
  const expired = await expiredOrder(product, 4);
  const cancelled = await ordered(t, await makeProduct(t), { qty: 2 });
  await t.engine.cancel(cancelled, seconds(5));
  for (const id of [expired, cancelled]) {
    const reference = unique('pay');
    const paid = { status: 'applied', orderState: 'paid' };
    expect(await pay(t, id, 'success', reference)).toEqual(paid);
    expect(await orderOf(id)).toMatchObject({ state: 'paid', reference });
    expect(await pay(t, id, 'success', reference)).toMatchObject({ status: 'duplicate' });
  }
  const counters = { available: 6, pending: 0, sold: 4 };
  expect(await t.engine.readProduct(product.id, seconds(2))).toMatchObject(counters);
});

test('P5: a success after the end, with the units sold to others, is due for a refund', async () => {
  const product = await makeProduct(t, { totalStock: 4, payTtlMs: 60 });
  const id = await expiredOrder(product, 3);
  await held(t, product, { qty: 2 });
  const reference = unique('pay');
  const due = { status: 'refund_due', orderState: 'refund_due' };
  expect(await pay(t, id, 'success', reference)).toEqual(due);
  expect(await orderOf(id)).toMatchObject({ state: 'refund_due', reference });
  expect(await pay(t, id, 'success', reference)).toEqual({
    ...due,
    status: 'duplicate',
    outcome: 'refund_due',
  });
  expect(await pay(t, id)).toEqual(due);
  expect(await t.engine.cancel(id, seconds(2))).toEqual({ status: 'order_paid' });
});

test('P5: late payments of 20 orders at once share what is left, and the rest is refunded', async () => {
  const product = await makeProduct(t, { totalStock: 20, payTtlMs: 400 });
  const ids = await atOnce(20, () => ordered(t, product));
  const payBy = await Promise.all(ids.map(async (id) => (await orderOf(id))?.payByMs ?? 0));
  await redisTimeAfter(t.redis, Math.max(...payBy));
  await held(t, product, { qty: 13 });
  const outcomes = await atOnce(20, (index) => pay(either(index), ids[index] ?? ''));
  expect(tally(outcomes)).toEqual({ applied: 7, refund_due: 13 });
});

test('a failure after the end is ignored, with a recorded outcome', async () => {
  const paid = await ordered(t, await makeProduct(t));
  await pay(t, paid);
  const expired = await expiredOrder(await makeProduct(t, { payTtlMs: 60 }), 1);
  for (const [id, orderState] of [
    [paid, 'paid'],
    [expired, 'expired'],
  ] as const) {
    const reference = unique('pay');
    expect(await pay(t, id, 'failed', reference)).toEqual({ status: 'ignored', orderState });
    expect(await receiptOf(reference)).toMatchObject({
      outcome: 'ignored',
      order_state: orderState,
    });
    const repeated = { status: 'duplicate', outcome: 'ignored', orderState };
    expect(await pay(t, id, 'failed', reference)).toEqual(repeated);
    expect(await orderOf(id)).toMatchObject({ state: orderState });
  }
});

test('P5: a failure, then a success by another reference: the order is paid', async () => {
  const product = await makeProduct(t);
  const id = await ordered(t, product);
  const [failed, success] = [unique('pay'), unique('pay')];
  expect(await pay(t, id, 'failed', failed)).toMatchObject({ orderState: 'cancelled' });
  expect(await pay(t, id, 'success', success)).toEqual({ status: 'applied', orderState: 'paid' });
  expect(await orderOf(id)).toMatchObject({ state: 'paid', reference: success });
  const first = { status: 'duplicate', outcome: 'applied', orderState: 'cancelled' };
  expect(await pay(t, id, 'failed', failed)).toEqual(first);
});

test('P5: when Redis has forgotten the order, MySQL says how it ended', async () => {
  const product = await makeProduct(t, { payTtlMs: 60 });
  const [late, paid] = [await expiredOrder(product, 2), await ordered(t, await makeProduct(t))];
  const reference = unique('pay');
  await pay(t, paid, 'success', reference);
  await drained(t);
  expect(await t.redis.del(...[late, paid].map((id) => reservationKey(0, id)))).toBe(2);
  const outcomes = await atOnce(10, (index) => pay(either(index), late));
  const first = outcomes.map(whatBecame);
  expect(tally(first)).toEqual({ applied: 1, refund_due: 9 });
  expect(await pay(t, paid, 'success', unique('pay'))).toMatchObject({ status: 'refund_due' });
  expect(await orderOf(paid)).toMatchObject({ state: 'paid', reference });
});
