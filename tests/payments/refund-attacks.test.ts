import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { orderId, type ReservationId } from '../../src/domain/ids.ts';
import type { PaymentEvent } from '../../src/domain/outcomes.ts';
import { createReceiptSweeper } from '../../src/payments/sweeper.ts';
import { expectBooksBalance } from '../support/books.ts';
import { eventOf, ordered, pay, refundsDueOn, unique } from '../support/buying.ts';
import { makeProduct, seconds, startEngine, type TestEngine } from '../support/engine.ts';
import { captureLog } from '../support/log.ts';

// Sequences that took money twice, or gave it back unnoticed, before they were thought of.

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

test('P5: a refund and a second payment at the same time give one payment back, and list the other', async () => {
  const other = await t.another();
  for (let round = 0; round < 20; round += 1) {
    const id = await ordered(t, await makeProduct(t));
    await pay(t, id);
    const second = unique('pay');
    await Promise.all([
      t.inbox.receive(eventOf(id, { status: 'refunded' }), seconds(5)),
      other.inbox.receive(eventOf(id, { reference: second }), seconds(5)),
    ]);
    // Either the first one went back, and the second is due; or the other way round.
    const isRefunded = (await stateOf(id)) === 'refunded';
    expect(await dueOn(id), `order ${id}`).toEqual(isRefunded ? [second] : []);
  }
});

test('a refund whose process died does not give back what came after it', async () => {
  const id = await ordered(t, await makeProduct(t));
  await pay(t, id);
  await t.sql(
    "INSERT INTO payment_events (reference, order_id, status, received_at) VALUES (?, ?, 'refunded', '2026-01-01')",
    [unique('evt'), orderId(id)],
  );
  const second = unique('pay');
  expect(await pay(t, id, 'success', second)).toMatchObject({ status: 'refund_due' });
  expect(await stateOf(id)).toBe('refunded');
  expect(await dueOn(id)).toEqual([second]);
});

test('one payment of two orders pays both, and two events of it pay each once', async () => {
  const [one, two] = [
    await ordered(t, await makeProduct(t)),
    await ordered(t, await makeProduct(t)),
  ];
  const payment = unique('pi');
  expect(await tell(one, { payment })).toMatchObject({ status: 'applied' });
  expect(await tell(two, { payment })).toMatchObject({ status: 'applied' });
  expect(await tell(two, { payment })).toMatchObject({ status: 'ignored' });
  expect(await tell(one, { payment })).toMatchObject({ status: 'ignored' });
  expect([await stateOf(one), await stateOf(two)]).toEqual(['paid', 'paid']);
});

test('a refund may name any event of the payment that it gives back', async () => {
  const id = await ordered(t, await makeProduct(t));
  const [payment, reference] = [unique('pi'), unique('evt')];
  await tell(id, { payment });
  expect(await tell(id, { payment, reference })).toMatchObject({ status: 'ignored' });
  expect(await tell(id, { status: 'refunded', payment: reference })).toMatchObject({
    ...{ status: 'applied', orderState: 'refunded' },
  });
});

test('a refund is not given up while the payment that it gives back has not acted', async () => {
  const id = await ordered(t, await makeProduct(t));
  const [payment, refund] = [unique('pi'), unique('evt')];
  await tell(id, { status: 'refunded', payment, reference: refund });
  await t.sql(
    'INSERT INTO payment_events (reference, order_id, status, payment, succeeded, received_at)' +
      " VALUES (?, ?, 'success', ?, ?, UTC_TIMESTAMP(3))",
    [unique('evt'), orderId(id), payment, payment],
  );
  const { log } = captureLog();
  const { sweep } = createReceiptSweeper(t.inbox, t.database, log, -1_000, -1_000);
  await sweep();
  await createReceiptSweeper(t.inbox, t.database, log, -1_000).sweep();
  expect(await stateOf(id)).toBe('refunded');
});

test('what was paid nothing for is not due back', async () => {
  const id = await ordered(t, await makeProduct(t));
  const nothing = { money: { amountMinor: 0, currency: 'USD' } };
  expect(await tell(id, nothing)).toMatchObject({ status: 'amount_mismatch' });
  expect(await dueOn(id)).toEqual([]);
});
