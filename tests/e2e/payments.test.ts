import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Stripe from 'stripe';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { listenTo } from '../support/events.ts';
import { type Answer, call, HoldfastProcess, holdfast } from '../support/process.ts';
import { eventually } from '../support/wait.ts';

// A sale as a shop runs it: in production, paid through Stripe, with buyers who wait for units.

const ADMIN_TOKEN = 'a-token-of-the-tests';
const STRIPE_SECRET = 'whsec_of_the_tests';
const AUTHORIZATION = { Authorization: `Bearer ${ADMIN_TOKEN}` };

let folder: string;
let environment: Record<string, string>;
let serve: HoldfastProcess;
let url: string;
let events = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-e2e-'));
  environment = {
    ...{ DATA_DIR: folder, PORT: '0', LOG_LEVEL: 'warn', ADMIN_TOKEN, NODE_ENV: 'production' },
    STRIPE_WEBHOOK_SECRET: `whsec_of_the_past,${STRIPE_SECRET}`,
  };
  serve = new HoldfastProcess(['serve'], environment);
  url = await serve.ready();
}, 120_000);
afterAll(async () => {
  await serve.stop();
  await rm(folder, { recursive: true, force: true });
});

const admin = (method: string, path: string, body?: unknown) =>
  call(method, `${url}/api/admin${path}`, body, AUTHORIZATION);

/** An event of Stripe's, signed by Stripe's own library. */
async function stripeSends(type: string, object: object): Promise<Answer> {
  events += 1;
  const event = { id: `evt_${events}`, object: 'event', type, data: { object } };
  const payload = JSON.stringify(event);
  const signature = Stripe.webhooks.generateTestHeaderString({ payload, secret: STRIPE_SECRET });
  const headers = { 'content-type': 'application/json', 'stripe-signature': signature };
  const path = `${url}/api/payments/stripe`;
  const response = await fetch(path, { method: 'POST', body: payload, headers });
  return { status: response.status, body: await response.json(), headers: response.headers };
}

const intentOf = (order: string) => ({
  ...{ id: `pi_${order}`, object: 'payment_intent', amount_received: 4900, currency: 'usd' },
  metadata: { order_id: order },
});

async function createProduct(more: object): Promise<number> {
  const product = { name: 'Ticket', price: '49.00', currency: 'USD', total_stock: 1, ...more };
  const { status, body } = await admin('POST', '/products', product);
  expect(status).toBe(201);
  return body.id;
}

async function orderOf(product: number): Promise<string> {
  const hold = await call('POST', `${url}/api/holds`, { product_id: product, qty: 1 });
  expect(hold.status).toBe(201);
  const order = await call('POST', `${url}/api/orders`, { hold_id: hold.body.hold_id });
  expect(order.status).toBe(201);
  return order.body.order_id;
}

const read = async (path: string) => (await call('GET', url + path)).body;
const expired = (order: string) =>
  eventually(async () => {
    expect(await read(`/api/orders/${order}`)).toMatchObject({ status: 'expired' });
  }, 20_000);

test('P5: payments in time and late, and a restock while buyers wait, end with books that agree', async () => {
  const short = { pay_ttl_seconds: 1 };
  const [product, other] = [await createProduct(short), await createProduct(short)];
  const waiting = await listenTo(`${url}/api/products/${product}/stream`);

  // Too late, and the unit is still there.
  const late = await orderOf(product);
  await expired(late);
  expect(await stripeSends('payment_intent.succeeded', intentOf(late))).toMatchObject({
    ...{ status: 200, body: { status: 'applied', order_status: 'paid' } },
  });

  // Too late, and somebody else has it.
  const tooLate = await orderOf(other);
  await expired(tooLate);
  const winner = await orderOf(other);
  await stripeSends('checkout.session.completed', {
    ...intentOf(winner),
    ...{ id: 'cs_1', payment_intent: 'pi_w', payment_status: 'paid', amount_total: 4900 },
  });
  const inVain = await stripeSends('payment_intent.succeeded', intentOf(tooLate));
  expect(inVain.body).toMatchObject({ status: 'refund_due', order_status: 'refund_due' });
  const due = (await admin('GET', '/refunds')).body;
  expect(due).toMatchObject({ open: 1, refunds: [{ order_id: tooLate, amount: '49.00' }] });
  const charge = { currency: 'usd', amount_refunded: 4900, metadata: { order_id: tooLate } };
  const refund = { id: 'ch_1', payment_intent: `pi_${tooLate}`, ...charge };
  expect((await stripeSends('charge.refunded', refund)).body).toMatchObject({
    ...{ status: 'applied', order_status: 'refunded' },
  });
  expect((await admin('GET', '/refunds')).body.open).toBe(0);

  // Buyers wait at the stream until more units come.
  await eventually(async () => expect(waiting.events.at(-1)).toMatchObject({ sold: 1 }));
  expect(waiting.events.at(-1)).toMatchObject({ available_stock: 0 });
  const soldOut = await call('POST', `${url}/api/holds`, { product_id: product, qty: 1 });
  expect(soldOut.body).toMatchObject({ code: 'sold_out' });
  const restock = { delta: 2, key: 'a-second-delivery' };
  expect((await admin('POST', `/products/${product}/stock`, restock)).status).toBe(200);
  await eventually(async () => expect(waiting.events.at(-1)).toMatchObject({ available_stock: 2 }));
  const bought = await orderOf(product);
  await stripeSends('payment_intent.succeeded', intentOf(bought));
  expect(await read(`/api/orders/${bought}`)).toMatchObject({ status: 'paid' });

  const books = await holdfast(['reconcile', '--json'], environment);
  expect(JSON.parse(books.stdout)).toMatchObject({ drift: 0, findings: [] });
  expect(books.code).toBe(0);
}, 120_000);

test('in production, payments that are not signed are refused, and so is a start without a secret', async () => {
  const event = { order_id: 'order_x', reference: 'forged', status: 'success' };
  expect((await call('POST', `${url}/api/payments/webhook`, event)).status).toBe(404);
  const forged = await call('POST', `${url}/api/payments/stripe`, {
    id: 'evt',
    type: 'x',
    data: {},
  });
  expect([forged.status, forged.body.code]).toEqual([400, 'bad_signature']);
  const { STRIPE_WEBHOOK_SECRET: taken, ...without } = environment;
  expect(taken).toBeDefined();
  const own = join(folder, 'another');
  const bare = await holdfast(['serve'], { ...without, DATA_DIR: own });
  expect(bare.code).toBe(2);
  expect(bare.stderr).toContain('WEBHOOK_SECRET is not set');
  const weak = await holdfast(['serve'], { ...without, DATA_DIR: own, WEBHOOK_SECRET: 'secret' });
  expect(weak).toMatchObject({ code: 2, stderr: expect.stringContaining('24 to 64 bytes') });
  const secret = `whsec_${randomBytes(8).toString('base64')}`;
  const short = await holdfast(['serve'], { ...without, DATA_DIR: own, WEBHOOK_SECRET: secret });
  expect(short.stderr).not.toContain(secret);
}, 60_000);
