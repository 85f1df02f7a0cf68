import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { orderId, type ReservationId } from '../../src/domain/ids.ts';
import type { PaymentEvent } from '../../src/domain/outcomes.ts';
import { createReceiptSweeper } from '../../src/payments/sweeper.ts';
import { drained, expectBooksBalance } from '../support/books.ts';
import { eventOf, held, hold, ordered, pay, refundsDueOn, unique } from '../support/buying.ts';
import { makeProduct, seconds, startEngine, type TestEngine } from '../support/engine.ts';
import { captureLog } from '../support/log.ts';

let t: TestEngine;

beforeAll(async () => {
  t = await startEngine({ openMs: 3_600_000 });
});
afterEach(() => expectBooksBalance(t));
afterAll(() => t.stop());

const tell = (id: ReservationId, more: Partial<PaymentEvent>) =>
  t.inbox.receive(eventOf(id, more), seconds(5));
const stateOf = async (id: ReservationId) => (await t.engine.readOrder(id, seconds(2)))?.state;
const dueOn = (id: ReservationId) => refundsDueOn(t, id);

/** A cancelled order whose units somebody else has, and that is paid all the same. */
async function paidInVain(): Promise<{ id: ReservationId; reference: string }> {
  const product = await makeProduct(t, { totalStock: 1 });
  const id = await ordered(t, product);
  await t.engine.cancel(id, seconds(5));
  await held(t, product);
  const reference = unique('pay');
  expect(await pay(t, id, 'success', reference)).toMatchObject({ status: 'refund_due' });
  return { id, reference };
}

test('P5: what is due is listed with its money until it is done, and done twice is done once', async () => {
  const { id, reference } = await paidInVain();
  const before = (await t.engine.admin.overview(seconds(2))).refundsDue;
  const { refunds } = await t.refunds.list(undefined, 500, seconds(2));
  expect(refunds.find((each) => each.reference === reference)).toMatchObject({
    ...{ orderId: orderId(id), reason: 'refund_due' },
    money: { amountMinor: 1990, currency: 'USD' },
  });
  const done = { status: 'done', references: [reference] };
  expect(await t.refunds.done(orderId(id), undefined, seconds(5))).toEqual(done);
  expect(await t.refunds.done(orderId(id), undefined, seconds(5))).toEqual({
    ...done,
    references: [],
  });
  expect(await dueOn(id)).toEqual([]);
  expect((await t.engine.admin.overview(seconds(2))).refundsDue).toBe(before - 1);
  const order = await t.engine.readOrder(id, seconds(2));
  expect(order).toMatchObject({ state: 'returned', reference, refundedAtMs: expect.any(Number) });
});

test('done at the same time by two people is done once', async () => {
  const { id, reference } = await paidInVain();
  const both = await Promise.all(
    [0, 1].map(() => t.refunds.done(orderId(id), undefined, seconds(5))),
  );
  for (const each of both) expect(each.status).toBe('done');
  expect(await dueOn(id)).toEqual([]);
  const rows = await t.sql('SELECT refunded_by FROM payment_events WHERE order_id = ?', [
    orderId(id),
  ]);
  expect(rows.filter((row) => row.refunded_by !== null)).toHaveLength(1);
  const history = await t.engine.admin.history(reference, seconds(2));
  expect(history?.steps.map(({ to }) => to)).toEqual([
    ...['held', 'pending', 'cancelled', 'refund_due', 'returned'],
  ]);
});

test('done by reference leaves alone what became due meanwhile', async () => {
  const id = await ordered(t, await makeProduct(t));
  const [first, listed, later] = [unique('pay'), unique('pay'), unique('pay')];
  for (const reference of [first, listed, later]) await tell(id, { reference });
  const done = (...named: string[]) => t.refunds.done(orderId(id), named, seconds(5));
  for (const wrong of [first, unique('nobody')]) {
    expect(await done(listed, wrong)).toEqual({ status: 'no_refund_due' });
  }
  expect(await dueOn(id)).toEqual([listed, later]);
  expect(await done(listed, listed)).toEqual({ status: 'done', references: [listed] });
  expect(await done(listed)).toEqual({ status: 'done', references: [] });
  expect(await dueOn(id)).toEqual([later]);
  expect(await done(listed, later)).toEqual({ status: 'done', references: [later] });
});

test('a second payment that goes back leaves the order as it is', async () => {
  const id = await ordered(t, await makeProduct(t));
  await tell(id, { payment: 'p1' });
  expect(await tell(id, { payment: 'p2', reference: `${id}-2` })).toMatchObject({
    status: 'refund_due',
  });
  expect(await dueOn(id)).toEqual([`${id}-2`]);
  const refund = { status: 'refunded', payment: 'p2', reference: `${id}-3` } as const;
  expect(await tell(id, refund)).toMatchObject({ status: 'applied', orderState: 'paid' });
  expect(await tell(id, refund)).toMatchObject({ status: 'duplicate', outcome: 'applied' });
  expect(await tell(id, { status: 'refunded', payment: 'p2' })).toMatchObject({
    status: 'ignored',
  });
  expect(await stateOf(id)).toBe('paid');
  expect(await tell(id, { status: 'refunded', payment: 'p1' })).toMatchObject({
    ...{ status: 'applied', orderState: 'refunded' },
  });
});

test('a refund of a payment that nobody has told of waits for it', async () => {
  const product = await makeProduct(t);
  const id = await ordered(t, product);
  const [first, second] = [unique('pi'), unique('pi')];
  await tell(id, { payment: first });
  const refund = eventOf(id, { status: 'refunded', payment: second });
  expect(await t.inbox.receive(refund, seconds(5))).toEqual({ status: 'order_not_paid' });
  expect(await stateOf(id)).toBe('paid');
  expect(await tell(id, { payment: second })).toMatchObject({ status: 'refund_due' });
  expect(await dueOn(id)).toEqual([]);
  expect(await t.inbox.receive(refund, seconds(5))).toMatchObject({ status: 'duplicate' });
  expect(await stateOf(id)).toBe('paid');
});

test('a refund of another amount than was due is told as such', async () => {
  const { id } = await paidInVain();
  const part = { status: 'refunded', money: { amountMinor: 1, currency: 'USD' } } as const;
  expect(await tell(id, part)).toMatchObject({ status: 'amount_mismatch' });
  expect(await dueOn(id)).toHaveLength(1);
});

test('people refund a paid order, and ask for its units later', async () => {
  const product = await makeProduct(t, { totalStock: 1, maxPerBuyer: 1 });
  const id = await ordered(t, product, { buyer: 'ann' });
  const refund = (returns: boolean) => t.refunds.refundOrder(id, returns, seconds(5));
  expect(await refund(false)).toEqual({ status: 'order_not_paid' });
  await pay(t, id);
  expect(await refund(false)).toMatchObject({ order: { state: 'refunded' } });
  expect(await refund(false)).toMatchObject({ order: { state: 'refunded' } });
  expect(await hold(t, product, { buyer: 'bob' })).toMatchObject({ status: 'sold_out' });
  expect(await refund(true)).toMatchObject({ order: { state: 'returned' } });
  expect(await refund(false)).toMatchObject({ order: { state: 'returned' } });
  expect(await hold(t, product, { buyer: 'ann' })).toMatchObject({ status: 'held' });
});

test('who has nothing due is told so', async () => {
  const id = await ordered(t, await makeProduct(t));
  expect(await t.refunds.done(orderId(id), undefined, seconds(5))).toEqual({
    status: 'no_refund_due',
  });
  const nobody = 'order_01jzc0000000000000000000000';
  expect(await t.refunds.done(nobody, undefined, seconds(5))).toEqual({
    status: 'order_not_found',
  });
  expect(await t.refunds.done('nonsense', undefined, seconds(5))).toEqual({
    status: 'order_not_found',
  });
});

test('P5: after a day, money without an order is due back; what can still be ordered is not given up', async () => {
  const { id } = await held(t, await makeProduct(t));
  await drained(t);
  const lost = unique('order-of-another-shop');
  const names = { held: unique('pay'), lost: unique('pay'), failed: unique('pay') };
  await tell(id, { reference: names.held });
  const toNobody = { orderId: lost, money: { amountMinor: 700, currency: 'EUR' } };
  await tell(id, { ...toNobody, reference: names.lost });
  await tell(id, { orderId: lost, status: 'failed', reference: names.failed });
  const { log } = captureLog();
  const early = createReceiptSweeper(t.inbox, t.database, log, -1_000);
  await early.sweep();
  const outcomes = async () => {
    const rows = await t.sql(
      'SELECT reference, outcome FROM payment_events WHERE reference IN (?)',
      [Object.values(names)],
    );
    return Object.fromEntries(rows.map((row) => [row.reference, row.outcome]));
  };
  const open = { [names.held]: null, [names.lost]: null, [names.failed]: null };
  expect(await outcomes()).toEqual(open);
  await createReceiptSweeper(t.inbox, t.database, log, -1_000, -1_000).sweep();
  expect(await outcomes()).toEqual({
    ...open,
    [names.lost]: 'refund_due',
    [names.failed]: 'ignored',
  });
  const { refunds } = await t.refunds.list(undefined, 500, seconds(2));
  expect(refunds.find(({ orderId }) => orderId === lost)).toMatchObject({
    ...{ reference: names.lost, money: { amountMinor: 700, currency: 'EUR' }, buyer: '' },
  });
  const done = await t.refunds.done(lost, undefined, seconds(5));
  expect(done).toEqual({ status: 'done', references: [names.lost] });
  await t.engine.order(id, '', seconds(5));
  await createReceiptSweeper(t.inbox, t.database, log, -1_000).sweep();
  expect(await stateOf(id)).toBe('paid');
});

test('the list goes on page by page', async () => {
  await paidInVain();
  await paidInVain();
  const all = await t.refunds.list(undefined, 500, seconds(2));
  expect(all.open).toBe(all.refunds.length);
  const pages = [];
  for (let after = undefined as (typeof all.refunds)[number] | undefined; ; ) {
    const { refunds } = await t.refunds.list(after, 1, seconds(2));
    after = refunds[0];
    if (!after) break;
    pages.push(after);
  }
  expect(pages).toEqual(all.refunds);
  expect(pages.length).toBeGreaterThan(1);
});

test('a refund, a rebuild and a reconciliation later, the books agree', async () => {
  const product = await makeProduct(t, { totalStock: 4, maxPerBuyer: 4 });
  const [kept, back] = [
    await ordered(t, product, { buyer: 'ann' }),
    await ordered(t, product, { buyer: 'ann' }),
  ];
  for (const id of [kept, back]) await pay(t, id);
  await tell(kept, { status: 'refunded' });
  await tell(back, { status: 'refunded', returnsUnits: true });
  await t.lanes.rebuild(0, false);
  const run = { productId: null, fixes: false, cause: 'command', isPaced: false } as const;
  const { findings } = await t.reconcile(run);
  // Of other tests: the events of orders that do not exist wait on purpose.
  expect(findings.filter(({ kind }) => kind !== 'receipt_open')).toEqual([]);
  expect(await t.engine.readProduct(product.id, seconds(2))).toMatchObject({
    ...{ available: 3, sold: 1 },
  });
  expect(await hold(t, product, { buyer: 'ann', qty: 4 })).toMatchObject({ units: 1 });
});
