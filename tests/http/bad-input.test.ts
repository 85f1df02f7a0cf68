import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeProduct, startEngine, type TestEngine } from '../support/engine.ts';
import {
  AUTHORIZATION,
  appOn,
  type Client,
  clientOf,
  expectInvalid,
  expectProblem,
} from './support.ts';

const BIG = 65_537;

let engine: TestEngine;
let client: Client;
let productId: number;

beforeAll(async () => {
  engine = await startEngine();
  client = clientOf(appOn(engine));
  productId = (await makeProduct(engine)).id;
});

afterAll(async () => {
  // No bad request had an effect.
  const { body } = await client.get(`/api/products/${productId}`);
  expect(body).toMatchObject({ available_stock: 10, held: 0, pending: 0, sold: 0 });
  expect(await engine.sql('SELECT * FROM payment_events')).toEqual([]);
  expect(await engine.sql('SELECT * FROM products')).toHaveLength(1);
  await engine.stop();
});

const ROUTES = [
  ['POST', '/api/holds'],
  ['POST', '/api/orders'],
  ['POST', '/api/payments/webhook'],
  ['POST', '/api/admin/products'],
  ['PATCH', '/api/admin/products/1'],
  ['POST', '/api/admin/products/1/stock'],
] as const;

describe.for(ROUTES)('%s %s', ([method, path]) => {
  const send = (body?: unknown, headers: Record<string, string> = {}) =>
    client.raw(method, path, body, { ...AUTHORIZATION, ...headers });

  test.for(['', '{', 'nope', '{"qty":}', '[1,', '{"a":1}x', "{'a':1}", '\u0000'])(
    'malformed JSON %j',
    async (text) => {
      expectProblem(await send(text), 'malformed_json');
    },
  );

  test.for(['null', '[]', '"text"', '42', 'true', `${'['.repeat(2_000)}${']'.repeat(2_000)}`])(
    'JSON that is no object: %s',
    async (text) => {
      expectInvalid(await send(text), ['body']);
    },
  );

  test.for(['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data', 'json', ''])(
    'content type %j',
    async (type) => {
      expectProblem(await send('{}', { 'Content-Type': type }), 'unsupported_media_type');
    },
  );

  test.for([
    'application/json; charset=utf-8',
    'APPLICATION/JSON',
    'application/json;charset=UTF-8',
  ])('content type %s is JSON', async (type) => {
    const { status } = await send('{}', { 'Content-Type': type });
    expect(status).toBe(422);
  });

  test('a body without a content type', async () => {
    const body = new TextEncoder().encode('{}');
    expectProblem(await client.untyped(method, path, body), 'unsupported_media_type');
  });

  test('no body at all names what is missing', async () => {
    expectProblem(await client.untyped(method, path), 'invalid_request');
  });

  test('a body over 64 KiB', async () => {
    expectProblem(await send(`"${'x'.repeat(BIG)}"`), 'body_too_large');
  });
});

const QTY = [0, -1, 1.5, -0.5, 10_001, 1e9, 2 ** 53, 1e308, '1', '', true, null, [], {}, [1]];

test.for(QTY)('qty %j', async (qty) => {
  expectInvalid(await client.post('/api/holds', { product_id: productId, qty }), ['qty']);
  const items = [
    { product_id: productId, qty: 1 },
    { product_id: productId, qty },
  ];
  expectInvalid(await client.post('/api/holds', { items }), ['items.1.qty']);
});

test.for(['1e400', '-1e400', '99999999999999999999', '1e-5'])('qty spelled %s', async (qty) => {
  const body = `{"product_id":${productId},"qty":${qty}}`;
  expectInvalid(await client.post('/api/holds', body), ['qty']);
});

const IDS = [0, -1, 1.5, 2 ** 53, 1e308, '1', 'abc', '', true, null, [], {}];

test.for(IDS)('product_id %j', async (product_id) => {
  expectInvalid(await client.post('/api/holds', { product_id, qty: 1 }), ['product_id']);
  const items = [{ product_id, qty: 1 }];
  expectInvalid(await client.post('/api/holds', { items }), ['items.0.product_id']);
});

const one = { product_id: 1, qty: 1 };

test.for<[string, object, string[]]>([
  ['nothing', {}, ['product_id', 'qty']],
  ['no qty', { product_id: 1 }, ['qty']],
  ['no product_id', { qty: 1 }, ['product_id']],
  ['misspelled', { product_id: 1, quantity: 1 }, ['qty']],
  ['no items', { items: [] }, ['items']],
  ['items that are no list', { items: one }, ['items']],
  ['items that are text', { items: '1:1' }, ['items']],
  ['an item that is no object', { items: [1] }, ['items.0']],
  ['an item of nothing', { items: [{}] }, ['items.0.product_id', 'items.0.qty']],
  ['an item without qty', { items: [one, { product_id: 1 }] }, ['items.1.qty']],
  ['21 items', { items: Array.from({ length: 21 }, () => one) }, ['items']],
  ['both forms', { ...one, items: [one] }, ['items']],
  ['items and qty', { qty: 1, items: [one] }, ['items']],
  ['10,001 units in all', { items: [5_000, 5_001].map((qty) => ({ ...one, qty })) }, ['items']],
  ['empty buyer', { ...one, buyer: '' }, ['buyer']],
  ['buyer with a space', { ...one, buyer: 'a b' }, ['buyer']],
  ['buyer with a bar', { ...one, buyer: 'a|b' }, ['buyer']],
  ['buyer with a newline', { ...one, buyer: 'a\n' }, ['buyer']],
  ['long buyer', { ...one, buyer: 'b'.repeat(65) }, ['buyer']],
  ['buyer that is a number', { ...one, buyer: 7 }, ['buyer']],
  ['two wrongs', { product_id: 'x', qty: 0 }, ['product_id', 'qty']],
])('a hold of %s', async ([, body, fields]) => {
  expectInvalid(await client.post('/api/holds', body), fields);
});

test('a hold may name 20 items, and 10,000 units of one product in all', async () => {
  const items = Array.from({ length: 20 }, () => ({ product_id: productId, qty: 500 }));
  const answer = await client.post('/api/holds', { items });
  expectProblem(answer, 'sold_out', { product_id: productId, available: 10 });
});

test.for(['', ' ', 'a b', 'k'.repeat(129), 'ü', 'a\tb'])('Idempotency-Key %j', async (key) => {
  const headers = { 'Idempotency-Key': key };
  const hold = { product_id: productId, qty: 1 };
  expectInvalid(await client.post('/api/holds', hold, headers), ['Idempotency-Key']);
  const order = { hold_id: 'hold_01jzc000000000000000000000' };
  expectInvalid(await client.post('/api/orders', order, headers), ['Idempotency-Key']);
});

test.for([undefined, null, 7, true, {}, ['hold_01jzc000000000000000000000']])(
  'an order of hold_id %j',
  async (hold_id) => {
    expectInvalid(await client.post('/api/orders', { hold_id }), ['hold_id']);
  },
);

const event = { order_id: 'order_01jzc000000000000000000000', reference: 'r', status: 'success' };

test.for<[object, string]>([
  [{ order_id: undefined }, 'order_id'],
  [{ order_id: '' }, 'order_id'],
  [{ order_id: 'x'.repeat(65) }, 'order_id'],
  [{ order_id: 7 }, 'order_id'],
  [{ reference: undefined }, 'reference'],
  [{ reference: '' }, 'reference'],
  [{ reference: 'a b' }, 'reference'],
  [{ reference: 'ü' }, 'reference'],
  [{ reference: 'r'.repeat(129) }, 'reference'],
  [{ reference: 7 }, 'reference'],
  [{ status: undefined }, 'status'],
  [{ status: 'paid' }, 'status'],
  [{ status: true }, 'status'],
])('a payment event with %j', async ([change, field]) => {
  expectInvalid(await client.post('/api/payments/webhook', { ...event, ...change }), [field]);
});

test.for([
  ['GET', '/'],
  ['GET', '/api'],
  ['GET', '/api/nothing'],
  ['GET', '/api/holds'],
  ['PUT', '/api/holds'],
  ['PATCH', '/api/products/1'],
  ['DELETE', '/api/products/1'],
  ['POST', '/healthz'],
  ['GET', '/api/products/'],
  ['GET', '/api/admin/nothing'],
] as const)('%s %s is no route', async ([method, path]) => {
  expectProblem(await client.raw(method, path, undefined, AUTHORIZATION), 'not_found');
});

test('the instance is the path as it was sent, without the query', async () => {
  for (const path of ['/api/h%C3%B6lds?x=/y', '/a%20b%22%3Cc%3E?q#f', '/%E0%A4%A']) {
    expectProblem(await client.get(path), 'not_found');
  }
});
