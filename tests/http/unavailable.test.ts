import { afterAll, beforeAll, expect, test } from 'vitest';
import { holdId, orderId } from '../../src/domain/ids.ts';
import { createHealthApp } from '../../src/http/app.ts';
import { laneKey } from '../../src/redis/keys.ts';
import { expectBooksBalance } from '../support/books.ts';
import { held, ordered, unique } from '../support/buying.ts';
import { makeProduct, startEngine, type TestEngine } from '../support/engine.ts';
import { captureLog } from '../support/log.ts';
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

test('healthz and readyz of a Holdfast that is well', async () => {
  const health = await client.get('/healthz');
  expect([health.status, health.body]).toEqual([200, { status: 'ok' }]);
  const ready = await client.get('/readyz');
  expect(ready.status).toBe(200);
  expect(ready.body).toEqual({ status: 'ok', checks: { redis: 'ok', mysql: 'ok', lanes: 'ok' } });
});

test('readyz is 503 with the checks when one of them fails', async () => {
  const checks = { redis: 'ok', mysql: 'refused', lanes: 'ok' };
  const app = appOn(engine, { ready: async () => ({ ok: false, checks }) });
  expectProblem(await clientOf(app).get('/readyz'), 'unavailable', { checks });
  expect((await clientOf(app).get('/healthz')).status).toBe(200);
});

test('a process without the role api answers how it is, and nothing else', async () => {
  const { log } = captureLog();
  const { read: metrics } = engine.metrics;
  const app = createHealthApp({ ready: engine.ready, metrics, log });
  const well = clientOf(app);
  expect((await well.get('/healthz')).body).toEqual({ status: 'ok' });
  expect((await well.get('/readyz')).body).toMatchObject({ status: 'ok' });
  expect((await app.request('/metrics')).status).toBe(200);
  for (const path of ['/api/products', '/api/admin/products', '/openapi.json', '/']) {
    expectProblem(await well.get(path), 'not_found');
  }
  const checks = { redis: 'ok', mysql: 'refused', lanes: 'ok' };
  const ill = createHealthApp({ ready: async () => ({ ok: false, checks }), metrics, log });
  expectProblem(await clientOf(ill).get('/readyz'), 'unavailable', { checks });
});

test('a journal at its cap refuses holds as overloaded, and nothing is held', async () => {
  const { id, lane } = await makeProduct(engine);
  const cap = await engine.redis.hget(laneKey(lane), 'cap');
  await engine.redis.hset(laneKey(lane), 'cap', '0');
  try {
    expectProblem(await client.post('/api/holds', { product_id: id, qty: 1 }), 'overloaded');
  } finally {
    await engine.redis.hset(laneKey(lane), 'cap', cap ?? '');
  }
  expect((await client.get(`/api/products/${id}`)).body).toMatchObject({ held: 0 });
});

test('what is thrown unexpectedly is logged and told as 503, never as 500', async () => {
  const { log, errors } = captureLog();
  const fail = () => Promise.reject(new TypeError('a bug, with a secret'));
  const app = clientOf(appOn(engine, { log, ready: fail, payments: { receive: fail } }));
  const event = { order_id: 'x', reference: unique('pay'), status: 'success' };
  const answers = [await app.get('/readyz'), await app.post('/api/payments/webhook', event)];
  for (const answer of answers) {
    expectProblem(answer, 'unavailable');
    expect(JSON.stringify(answer.body)).not.toContain('secret');
  }
  expect(errors()).toMatchObject([
    { method: 'GET', path: '/readyz', err: { message: 'a bug, with a secret' } },
    { method: 'POST', path: '/api/payments/webhook' },
  ]);
});

test('without its servers every call is 503, and the process answers', async () => {
  // Another process's worth of Holdfast, whose connections are gone.
  const other = await engine.another({ config: { roles: ['api'] } });
  const product = await makeProduct(engine);
  const hold_id = holdId((await held(engine, product)).id);
  const order_id = orderId(await ordered(engine, product));
  await other.close();
  const { log, errors } = captureLog();
  const { engine: cut, inbox: payments, ready, reconcile, reconciliations, deadLetters } = other;
  const deps = { engine: cut, payments, ready, reconcile, reconciliations, deadLetters, log };
  const app = clientOf(appOn(engine, deps));
  const calls = [
    app.get('/api/products'),
    app.get(`/api/products/${product.id}`),
    app.post('/api/holds', { product_id: product.id, qty: 1 }),
    app.get(`/api/holds/${hold_id}`),
    app.remove(`/api/holds/${hold_id}`),
    app.post('/api/orders', { hold_id }),
    app.get(`/api/orders/${order_id}`),
    app.remove(`/api/orders/${order_id}`),
    app.post('/api/payments/webhook', { order_id, reference: unique('pay'), status: 'success' }),
    app.admin('POST', '/products', { name: 'x', price: '1.00', currency: 'USD', total_stock: 1 }),
    app.admin('PATCH', `/products/${product.id}`, { name: 'x' }),
    app.admin('POST', `/products/${product.id}/stock`, { delta: 1, key: unique('stock') }),
    app.admin('POST', `/products/${product.id}/pause`),
    app.admin('GET', '/overview'),
    app.admin('POST', '/reconciliations', {}),
    app.admin('GET', '/reconciliations'),
    app.admin('GET', '/dead-letters'),
    app.admin('POST', '/dead-letters/0.1-0.1/replay'),
    app.admin('GET', `/history/${order_id}`),
    app.get('/readyz'),
  ];
  for (const answer of await Promise.all(calls)) expectProblem(answer, 'unavailable');
  expect(errors()).toEqual([]);
  expect((await app.get('/healthz')).status).toBe(200);
});
