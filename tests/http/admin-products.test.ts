import { afterAll, beforeAll, expect, test } from 'vitest';
import { expectBooksBalance } from '../support/books.ts';
import { unique } from '../support/buying.ts';
import { makeProduct, startEngine, type TestEngine } from '../support/engine.ts';
import { appOn, type Client, clientOf, expectInvalid, expectProblem } from './support.ts';

let engine: TestEngine;
let client: Client;

beforeAll(async () => {
  engine = await startEngine({ config: { lanes: 2 } });
  client = clientOf(appOn(engine));
});
afterAll(async () => {
  await expectBooksBalance(engine);
  await engine.stop();
});

const LAMP = { name: 'Lamp', price: '129.00', currency: 'USD', total_stock: 100 };
const create = (changes: object = {}) => client.admin('POST', '/products', { ...LAMP, ...changes });

test('a product with only what is needed gets the defaults, and sells at once', async () => {
  const { status, headers, body } = await create();
  expect(status).toBe(201);
  expect(body).toEqual({
    ...LAMP,
    id: expect.any(Number),
    available_stock: 100,
    held: 0,
    pending: 0,
    sold: 0,
    status: 'active',
    starts_at: null,
    ends_at: null,
    max_per_hold: null,
    max_per_buyer: null,
    extend_seconds: 0,
    hold_ttl_seconds: engine.config.holdTtlMs / 1000,
    pay_ttl_seconds: engine.config.payTtlMs / 1000,
    lane: expect.any(Number),
  });
  expect(headers.get('location')).toBe(`/api/products/${body.id}`);
  const { hold_ttl_seconds, pay_ttl_seconds, lane, ...seen } = body;
  expect((await client.get(`/api/products/${body.id}`)).body).toEqual(seen);
  const hold = await client.post('/api/holds', { product_id: body.id, qty: 100 });
  expect(hold.body).toMatchObject({ amount: '12900.00' });
});

test('a product with everything', async () => {
  const rules = {
    ...LAMP,
    name: 'Ünïcode 灯 "quoted"',
    max_per_hold: 2,
    max_per_buyer: 4,
    starts_at: '2030-01-01T10:00:00.000Z',
    ends_at: '2030-01-02T10:00:00.000Z',
    hold_ttl_seconds: 30,
    pay_ttl_seconds: 60,
    extend_seconds: 86_400,
    lane: 1,
  };
  const { status, body } = await create({ ...rules, starts_at: '2030-01-01T12:00:00+02:00' });
  expect(status).toBe(201);
  expect(body).toMatchObject({ ...rules, status: 'scheduled' });
});

test.for([
  ['USD', '0.01'],
  ['USD', '100000000.00'],
  ['JPY', '129'],
  ['KWD', '1.234'],
] as const)('a price in %s of %s', async ([currency, price]) => {
  expect((await create({ currency, price })).body).toMatchObject({ currency, price });
});

test.for<[object, string[]]>([
  [{ name: undefined, price: undefined, currency: undefined }, ['currency', 'name', 'price']],
  [{ total_stock: undefined }, ['total_stock']],
  [{ name: '' }, ['name']],
  [{ name: '   ' }, ['name']],
  [{ name: 'a\tb' }, ['name']],
  [{ name: 'a\nb' }, ['name']],
  [{ name: 'x'.repeat(201) }, ['name']],
  [{ name: 7 }, ['name']],
  [{ price: 129 }, ['price']],
  [{ price: '-1.00' }, ['price']],
  [{ price: '1.005' }, ['price']],
  [{ price: '1,00' }, ['price']],
  [{ price: '' }, ['price']],
  [{ price: '1e3' }, ['price']],
  [{ price: '100000000.01' }, ['price']],
  [{ price: '9'.repeat(30) }, ['price']],
  [{ price: '1.0', currency: 'JPY' }, ['price']],
  [{ currency: 'usd' }, ['currency']],
  [{ currency: 'ABC' }, ['currency']],
  [{ currency: '' }, ['currency']],
  [{ currency: 'US DOLLAR' }, ['currency']],
  [{ total_stock: -1 }, ['total_stock']],
  [{ total_stock: 1.5 }, ['total_stock']],
  [{ total_stock: 1_000_000_001 }, ['total_stock']],
  [{ total_stock: '100' }, ['total_stock']],
  [{ max_per_hold: 0 }, ['max_per_hold']],
  [{ max_per_buyer: 1.5 }, ['max_per_buyer']],
  [{ hold_ttl_seconds: 0 }, ['hold_ttl_seconds']],
  [{ hold_ttl_seconds: 86_401 }, ['hold_ttl_seconds']],
  [{ pay_ttl_seconds: 604_801 }, ['pay_ttl_seconds']],
  [{ extend_seconds: -1 }, ['extend_seconds']],
  [{ extend_seconds: 0.5 }, ['extend_seconds']],
  [{ extend_seconds: 86_401 }, ['extend_seconds']],
  [{ extend_seconds: null }, ['extend_seconds']],
  [{ starts_at: 'tomorrow' }, ['starts_at']],
  [{ starts_at: '2030-02-30T00:00:00Z' }, ['starts_at']],
  [{ starts_at: '2030-01-01T00:00:00' }, ['starts_at']],
  [{ ends_at: 1_893_456_000 }, ['ends_at']],
  [{ ends_at: '0001-01-01T00:00:00Z' }, ['ends_at']],
  [{ starts_at: '2030-01-02T00:00:00Z', ends_at: '2030-01-01T00:00:00Z' }, ['ends_at']],
  [{ starts_at: '2030-01-01T00:00:00Z', ends_at: '2030-01-01T01:00:00+01:00' }, ['ends_at']],
  [{ lane: 2 }, ['lane']],
  [{ lane: -1 }, ['lane']],
  [{ max_per_order: 1 }, ['max_per_order']],
])('a product with %j is refused', async ([change, fields]) => {
  expectInvalid(await create(change), fields);
});

test('rules change while a sale runs', async () => {
  const { id } = await makeProduct(engine, { currency: 'JPY', priceMinor: 100, lane: 0 });
  const patch = (changes: object) => client.admin('PATCH', `/products/${id}`, changes);
  const all = {
    name: 'Lamp 2',
    price: '250',
    max_per_hold: 3,
    max_per_buyer: 5,
    starts_at: '2020-01-01T00:00:00.000Z',
    ends_at: '2020-01-02T00:00:00.000Z',
    hold_ttl_seconds: 11,
    pay_ttl_seconds: 22,
    extend_seconds: 33,
  };
  const { status, body } = await patch(all);
  expect(status).toBe(200);
  expect(body).toMatchObject({ ...all, id, currency: 'JPY', status: 'ended', total_stock: 10 });
  const cleared = { starts_at: null, ends_at: null, max_per_hold: null, max_per_buyer: null };
  expect((await patch(cleared)).body).toEqual({ ...body, ...cleared, status: 'active' });
  const hold = await client.post('/api/holds', { product_id: id, qty: 2 });
  expect(hold.body).toMatchObject({ amount: '500', currency: 'JPY' });
});

test.for<[object, string[]]>([
  [{}, ['body']],
  [{ currency: 'EUR' }, ['currency']],
  [{ total_stock: 5 }, ['total_stock']],
  [{ status: 'paused' }, ['status']],
  [{ price: '1.5' }, ['price']],
  [{ price: '10000000001' }, ['price']],
  [{ name: null }, ['name']],
  [{ hold_ttl_seconds: null }, ['hold_ttl_seconds']],
  [{ extend_seconds: 90_000 }, ['extend_seconds']],
  [{ ends_at: '2019-01-01T00:00:00Z' }, ['ends_at']],
  [{ starts_at: '2030-01-01T00:00:00Z' }, ['ends_at']],
])('a change of %j is refused', async ([change, fields]) => {
  const window = { startsAtMs: Date.UTC(2020, 0), endsAtMs: Date.UTC(2029, 0) };
  const { id } = await makeProduct(engine, { currency: 'JPY', ...window });
  const path = `/products/${id}`;
  const before = await client.get(`/api${path}`);
  expectInvalid(await client.admin('PATCH', path, change), fields);
  expect((await client.get(`/api${path}`)).body).toEqual(before.body);
});

test.for(['0', '999999999', 'abc', '1.5', '9007199254740993'])(
  'product %s is not found',
  async (id) => {
    const path = `/products/${id}`;
    const adjustment = { delta: 1, key: unique('stock') };
    for (const answer of [
      await client.admin('PATCH', path, { name: 'x' }),
      await client.admin('POST', `${path}/stock`, adjustment),
      await client.admin('POST', `${path}/pause`),
      await client.admin('POST', `${path}/resume`),
    ]) {
      expectProblem(answer, 'product_not_found');
    }
  },
);
