import { expect, test } from 'vitest';
import { meaningOf, stripeMoney } from '../../src/payments/stripe-events.ts';

const ORDER_ID = 'order_01m822hvg9e008vyg0m5x19ams';
const ORDER = { order_id: ORDER_ID };
const mean = (type: string, object: object) => meaningOf({ id: 'evt_1', type, data: { object } });
const session = { id: 'cs_1', currency: 'usd', amount_total: 3980, payment_intent: 'pi_1' };

test.each([
  [
    'payment_intent.succeeded',
    { id: 'pi_1', amount: 3980, amount_received: 3980, currency: 'usd', metadata: ORDER },
    { status: 'success', payment: 'pi_1', money: { amountMinor: 3980, currency: 'USD' } },
  ],
  [
    'payment_intent.payment_failed',
    { id: 'pi_1', amount: 3980, amount_received: 0, currency: 'usd', metadata: ORDER },
    { status: 'failed', payment: 'pi_1', money: undefined },
  ],
  [
    'checkout.session.completed',
    { ...session, payment_status: 'paid', metadata: ORDER },
    { status: 'success', payment: 'pi_1', money: { amountMinor: 3980, currency: 'USD' } },
  ],
  [
    'checkout.session.async_payment_succeeded',
    { ...session, payment_intent: { id: 'pi_1', object: 'payment_intent' }, metadata: ORDER },
    { status: 'success', payment: 'pi_1' },
  ],
  [
    'checkout.session.expired',
    { ...session, payment_intent: null, payment_status: 'unpaid', metadata: ORDER },
    { status: 'failed', payment: undefined },
  ],
  [
    'charge.refunded',
    {
      ...{ id: 'ch_1', amount: 3980, amount_refunded: 1000, currency: 'usd' },
      ...{ payment_intent: 'pi_1', metadata: { ...ORDER, return_units: 'true' } },
    },
    {
      ...{ status: 'refunded', payment: 'pi_1', returnsUnits: true },
      money: { amountMinor: 1000, currency: 'USD' },
    },
  ],
])('%s is an event of the order that its metadata names', (type, object, event) => {
  const expected = { orderId: ORDER_ID, reference: 'evt_1', ...event };
  expect(mean(type, object)).toMatchObject({ kind: 'payment', event: expected });
});

test.each([
  ['customer.created', { id: 'cus_1', metadata: ORDER }],
  ['payment_intent.succeeded', { id: 'pi_1', currency: 'usd', metadata: {} }],
  ['payment_intent.succeeded', { id: 'pi_1', currency: 'usd', metadata: null }],
  ['payment_intent.succeeded', { id: 'pi_1', currency: 'usd', metadata: { order_id: '1234' } }],
  ['checkout.session.completed', { ...session, payment_status: 'unpaid', metadata: ORDER }],
  ['v1.anything', 'not even an object'],
])('%s of %j is no payment here', (type, object) => {
  expect(mean(type, object as object)).toMatchObject({ kind: 'none' });
});

test('an event that is not as documented is not taken for another', () => {
  const object = { id: 'pi_1', amount_received: '39.80', currency: 'usd', metadata: ORDER };
  expect(mean('payment_intent.succeeded', object)).toMatchObject({ kind: 'unreadable' });
});

test.each([
  [1990, 'usd', 1990],
  [500, 'jpy', 500],
  [1990, 'kwd', 1990],
  // Stripe counts these in another unit than ISO 4217.
  [500_000, 'huf', 5_000],
  [500_000, 'idr', 5_000],
  [50_000, 'isk', 500],
  [50_000, 'ugx', 500],
])('%d %s of Stripe is %d minor units', (amount, currency, amountMinor) => {
  const expected = { amountMinor, currency: currency.toUpperCase() };
  expect(stripeMoney(amount, currency)).toEqual(expected);
});
