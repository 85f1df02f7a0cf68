import { afterAll, beforeAll, expect, test } from 'vitest';
import { held, ordered, pay } from '../support/buying.ts';
import { makeProduct, startEngine, type TestEngine } from '../support/engine.ts';
import { appOn, type Client, clientOf, expectProblem } from './support.ts';

let engine: TestEngine;
let client: Client;

beforeAll(async () => {
  engine = await startEngine();
  client = clientOf(appOn(engine));
});
afterAll(() => engine.stop());

test('a product tells its rules and where each unit is', async () => {
  const product = await makeProduct(engine, { totalStock: 10, maxPerHold: 5, maxPerBuyer: null });
  await held(engine, product, { qty: 2 });
  await ordered(engine, product, { qty: 3 });
  await pay(engine, await ordered(engine, product, { qty: 1 }));
  const { status, body } = await client.get(`/api/products/${product.id}`);
  expect(status).toBe(200);
  expect(body).toEqual({
    id: product.id,
    name: 'Lamp',
    price: '19.90',
    currency: 'USD',
    total_stock: 10,
    available_stock: 4,
    held: 2,
    pending: 3,
    sold: 1,
    status: 'active',
    starts_at: null,
    ends_at: null,
    max_per_hold: 5,
    max_per_buyer: null,
    extend_seconds: 0,
  });
});

test('the list has every product, sorted by id, each as it is alone', async () => {
  const made = [await makeProduct(engine), await makeProduct(engine, { currency: 'JPY' })];
  const { status, body } = await client.get('/api/products');
  expect(status).toBe(200);
  const products = body.products as { id: number }[];
  const ids = products.map(({ id }) => id);
  expect(ids).toEqual([...ids].sort((a, b) => a - b));
  for (const { id } of made) {
    const alone = await client.get(`/api/products/${id}`);
    expect(products.find((product) => product.id === id)).toEqual(alone.body);
  }
});

test('status and times follow the window of the sale', async () => {
  const hourMs = 3_600_000;
  const nowMs = Math.floor(Date.now() / 1000) * 1000;
  const at = (ms: number) => new Date(ms).toISOString();
  const read = async (startsAtMs: number | null, endsAtMs: number | null) => {
    const { id } = await makeProduct(engine, { startsAtMs, endsAtMs });
    return (await client.get(`/api/products/${id}`)).body;
  };
  expect(await read(nowMs + hourMs, null)).toMatchObject({
    status: 'scheduled',
    starts_at: at(nowMs + hourMs),
    ends_at: null,
  });
  expect(await read(nowMs - hourMs, nowMs + hourMs)).toMatchObject({ status: 'active' });
  expect(await read(null, nowMs - hourMs)).toMatchObject({
    status: 'ended',
    ends_at: at(nowMs - hourMs),
  });
});

test.for([
  ['USD', 5, '0.05'],
  ['JPY', 12_900, '12900'],
  ['KWD', 1_500, '1.500'],
] as const)('%s has the digits of its minor unit', async ([currency, priceMinor, price]) => {
  const { id } = await makeProduct(engine, { currency, priceMinor });
  expect((await client.get(`/api/products/${id}`)).body).toMatchObject({ price, currency });
});

test.for([
  '0',
  '-1',
  '1.5',
  '01',
  '1e3',
  'abc',
  'null',
  '999999999999',
  '9007199254740992',
  '99999999999999999999999',
  '%00',
  '%E0%A4%A',
])('product %s is not found', async (id) => {
  expectProblem(await client.get(`/api/products/${id}`), 'product_not_found');
});
