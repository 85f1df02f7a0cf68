import { randomBytes } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import Stripe from 'stripe';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { orderId } from '../../src/domain/ids.ts';
import { standardSignatures } from '../../src/payments/signatures.ts';
import { stripeSignatures } from '../../src/payments/stripe-signatures.ts';
import { expectBooksBalance } from '../support/books.ts';
import { hold, ordered, unique } from '../support/buying.ts';
import { makeProduct, seconds, startEngine, type TestEngine } from '../support/engine.ts';
import { type Answer, appOn, type Client, clientOf, expectProblem } from './support.ts';

const SECRET = `whsec_${randomBytes(32).toString('base64')}`;
const STRIPE_SECRET = 'whsec_of_the_tests';
const WEBHOOK = '/api/payments/webhook';
const STRIPE = '/api/payments/stripe';

let t: TestEngine;
let client: Client;

beforeAll(async () => {
  t = await startEngine();
  const standard = { kind: 'signed', verify: standardSignatures([SECRET]) } as const;
  const stripe = { kind: 'signed', verify: stripeSignatures([STRIPE_SECRET]) } as const;
  client = clientOf(appOn(t, { signing: { standard, stripe } }));
});
afterEach(() => expectBooksBalance(t));
afterAll(() => t.stop());

/** Signed under another id than is sent. */
function send(event: object, text = JSON.stringify(event)): Promise<Answer> {
  const at = new Date();
  return client.post(WEBHOOK, text, {
    'webhook-id': unique('msg'),
    'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
    'webhook-signature': new Webhook(SECRET).sign('x', at, text),
  });
}

/** As a payment provider sends it. */
function signed(event: object): Promise<Answer> {
  const [text, at, id] = [JSON.stringify(event), new Date(), unique('msg')];
  return client.post(WEBHOOK, text, {
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
    'webhook-signature': new Webhook(SECRET).sign(id, at, text),
  });
}

/** As Stripe sends it, signed by Stripe's own library. */
function stripeSends(type: string, object: object, id = unique('evt')): Promise<Answer> {
  const payload = JSON.stringify({ id, object: 'event', type, data: { object } });
  const secret = STRIPE_SECRET;
  const header = Stripe.webhooks.generateTestHeaderString({ payload, secret });
  return client.post(STRIPE, payload, { 'stripe-signature': header });
}

const intent = (id: string, more: object = {}) => ({
  ...{ id: unique('pi'), object: 'payment_intent', amount_received: 1990, currency: 'usd' },
  metadata: { order_id: orderId(id) },
  ...more,
});

const stateOf = async (id: string) => (await t.engine.readOrder(id, seconds(2)))?.state;

test('an event that is signed pays its order', async () => {
  const id = await ordered(t, await makeProduct(t));
  const money = { amount: '19.90', currency: 'USD' };
  const event = { order_id: orderId(id), reference: unique('pay'), status: 'success', ...money };
  const answer = await signed(event);
  expect([answer.status, answer.body]).toEqual([
    200,
    { ...{ status: 'applied', order_status: 'paid' }, ...pick(event) },
  ]);
  expect((await signed(event)).body).toMatchObject({ status: 'duplicate', outcome: 'applied' });
});

const pick = ({ order_id, reference }: { order_id: string; reference: string }) => ({
  order_id,
  reference,
});

test('without a signature, or with another one, nothing is kept', async () => {
  const id = await ordered(t, await makeProduct(t));
  const event = { order_id: orderId(id), reference: unique('pay'), status: 'success' };
  expectProblem(await client.post(WEBHOOK, event), 'bad_signature');
  expectProblem(await send(event), 'bad_signature');
  expectProblem(await send(event, 'no JSON'), 'bad_signature');
  const stripe = { id: 'evt', type: 'payment_intent.succeeded', data: { object: intent(id) } };
  expectProblem(await client.post(STRIPE, stripe), 'bad_signature');
  const old = { payload: JSON.stringify(stripe), secret: STRIPE_SECRET, timestamp: 1_700_000_000 };
  const header = Stripe.webhooks.generateTestHeaderString(old);
  const stale = await client.post(STRIPE, old.payload, { 'stripe-signature': header });
  expectProblem(stale, 'bad_signature');
  expect(await stateOf(id)).toBe('pending');
  expect(await t.sql('SELECT * FROM payment_events WHERE order_id = ?', [orderId(id)])).toEqual([]);
});

test('a webhook that is not set up is not there', async () => {
  const off = { kind: 'off' } as const;
  const closed = clientOf(appOn(t, { signing: { standard: off, stripe: off } }));
  expectProblem(await closed.post(WEBHOOK, {}), 'not_found');
  expectProblem(await closed.post(STRIPE, {}), 'not_found');
});

test('another amount leaves the order alone, and is on the list of refunds', async () => {
  const id = await ordered(t, await makeProduct(t));
  const less = { order_id: orderId(id), status: 'success', amount: '19.89', currency: 'USD' };
  const answer = await signed({ ...less, reference: unique('pay') });
  expect(answer.body).toMatchObject({ status: 'amount_mismatch', order_status: 'pending' });
  const yen = { ...less, amount: '1990', currency: 'JPY', reference: unique('pay') };
  expect((await signed(yen)).body).toMatchObject({ status: 'amount_mismatch' });
  const { body } = await client.admin('GET', '/refunds');
  const ours = (body.refunds as { order_id: string }[]).filter(
    ({ order_id }) => order_id === orderId(id),
  );
  expect(ours).toMatchObject([
    { reason: 'amount_mismatch', amount: '19.89', currency: 'USD' },
    { reason: 'amount_mismatch', amount: '1990', currency: 'JPY' },
  ]);
  const right = { ...less, amount: '19.9', reference: unique('pay') };
  expect((await signed(right)).body).toMatchObject({ status: 'applied', order_status: 'paid' });
});

test('bad fields of an event are named', async () => {
  const event = { order_id: 'x', reference: unique('pay'), status: 'success' };
  const fieldsOf = async (more: object) => {
    const answer = await signed({ ...event, ...more });
    expectProblem(answer, 'invalid_request');
    return (answer.body.errors as { field: string }[]).map(({ field }) => field);
  };
  expect(await fieldsOf({ amount: '1.00' })).toEqual(['currency']);
  expect(await fieldsOf({ currency: 'USD' })).toEqual(['currency']);
  expect(await fieldsOf({ amount: '1.999', currency: 'USD' })).toEqual(['amount']);
  expect(await fieldsOf({ amount: '1.00', currency: 'XXQ' })).toEqual(['currency']);
  expect(await fieldsOf({ return_units: true })).toEqual(['return_units']);
  expect(await fieldsOf({ payment: 'with spaces' })).toEqual(['payment']);
});

test('Stripe: a payment, then its refund with the units back', async () => {
  const product = await makeProduct(t, { totalStock: 1 });
  const id = await ordered(t, product);
  const paid = intent(id);
  expect((await stripeSends('payment_intent.succeeded', paid)).body).toMatchObject({
    ...{ status: 'applied', order_status: 'paid', order_id: orderId(id) },
  });
  const charge = { id: 'ch_1', currency: 'usd', payment_intent: paid.id };
  const metadata = { order_id: orderId(id), return_units: 'true' };
  const part = { ...charge, metadata, amount_refunded: 990 };
  const partly = await stripeSends('charge.refunded', part);
  expect(partly.body).toMatchObject({ status: 'amount_mismatch', order_status: 'paid' });
  const whole = { ...charge, metadata, amount_refunded: 1990 };
  const refunded = await stripeSends('charge.refunded', whole);
  expect(refunded.body).toMatchObject({ status: 'applied', order_status: 'refunded' });
  expect(await hold(t, product)).toMatchObject({ status: 'held' });
});

test('Stripe: two events of one payment take the money once', async () => {
  const id = await ordered(t, await makeProduct(t));
  const paid = intent(id);
  const session = { id: 'cs_1', payment_intent: paid.id, payment_status: 'paid', currency: 'usd' };
  const events = await Promise.all([
    stripeSends('payment_intent.succeeded', paid),
    stripeSends('checkout.session.completed', { ...paid, ...session, amount_total: 1990 }),
  ]);
  const statuses = events.map(({ body }) => body.status).sort();
  expect(statuses).toEqual(['applied', 'ignored']);
  expect(await stateOf(id)).toBe('paid');
  expect((await t.engine.admin.history(orderId(id), seconds(2)))?.receipts).toHaveLength(2);
});

test('Stripe: a card that is declined and then another one pays again, while units are left', async () => {
  const product = await makeProduct(t, { totalStock: 1 });
  const id = await ordered(t, product);
  const paid = intent(id);
  const failed = await stripeSends('payment_intent.payment_failed', paid);
  expect(failed.body).toMatchObject({ status: 'applied', order_status: 'cancelled' });
  const later = await stripeSends('payment_intent.succeeded', paid);
  expect(later.body).toMatchObject({ status: 'applied', order_status: 'paid' });
  const other = await ordered(t, await makeProduct(t, { totalStock: 1 }));
  await stripeSends('checkout.session.expired', { ...intent(other), id: 'cs_2' });
  expect(await stateOf(other)).toBe('cancelled');
});

test('Stripe: events that are of no order here are answered, and kept nowhere', async () => {
  const id = unique('evt');
  const answer = await stripeSends('customer.created', { id: 'cus_1' }, id);
  expect(answer.status).toBe(200);
  expect(answer.body).toMatchObject({ status: 'ignored', reference: id });
  expect(await t.sql('SELECT * FROM payment_events WHERE reference = ?', [id])).toEqual([]);
  const broken = await stripeSends('payment_intent.succeeded', { id: 7 });
  expectProblem(broken, 'invalid_request');
});
