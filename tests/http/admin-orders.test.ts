import { afterAll, beforeAll, expect, test } from 'vitest';
import { orderId } from '../../src/domain/ids.ts';
import { orderListAnswer } from '../../src/http/order-list-answer.ts';
import { expectBooksBalance } from '../support/books.ts';
import { atOnce, ordered, pay } from '../support/buying.ts';
import { makeProduct, ownEngine, startEngine, type TestEngine } from '../support/engine.ts';
import { appOn, type Client, clientOf, expectInvalid, expectProblem } from './support.ts';

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

/** A page that must be there, and as the OpenAPI document says. */
async function list(query: string, from: Client = client) {
  const { status, body } = await from.admin('GET', `/orders${query}`);
  expect(status, JSON.stringify(body)).toBe(200);
  const parsed = orderListAnswer.parse(body);
  expect(parsed).toEqual(body);
  return parsed;
}

const idsOf = ({ orders }: Awaited<ReturnType<typeof list>>) => orders.map((it) => it.order_id);

test('without orders the list is empty', async () => {
  const t = await ownEngine({}, expectBooksBalance);
  const empty = clientOf(appOn(t));
  expect(await list('', empty)).toEqual({ orders: [], next: null });
  const all = '?status=paid&product_id=7&buyer=ann&from=2026-01-01T00:00:00Z&limit=1';
  expect(await list(all, empty)).toEqual({ orders: [], next: null });
});

test('an order is told as it is alone, and with its buyer', async () => {
  const [product, other] = [await makeProduct(engine), await makeProduct(engine)];
  const items = [product, other].map(({ id }) => ({ productId: id, qty: 2 }));
  const nameless = await ordered(engine, product);
  const paid = await ordered(engine, items, { buyer: 'ann@example.org' });
  await pay(engine, paid);
  const alone = async (id: string) => (await client.get(`/api/orders/${orderId(id)}`)).body;
  const told = { ...(await alone(paid)), buyer: 'ann@example.org' };
  expect(await list(`?product_id=${other.id}`)).toEqual({ orders: [told], next: null });
  expect(await list(`?product_id=${product.id}`)).toEqual({
    orders: [told, { ...(await alone(nameless)), buyer: null }],
    next: null,
  });
  expect((await list('?buyer=ann@example.org')).orders).toEqual([told]);
  expect((await list(`?product_id=${product.id}&status=pending`)).orders).toMatchObject([
    { order_id: orderId(nameless) },
  ]);
});

test('130 orders in pages: none twice, none lost, while new ones come in', async () => {
  const product = await makeProduct(engine, { totalStock: 500 });
  const before = await atOnce(130, () => ordered(engine, product));
  const seen: string[] = [];
  let next: string | null = null;
  do {
    const after = next === null ? '' : `&after=${next}`;
    const asking = list(`?product_id=${product.id}&limit=17${after}`);
    const [page] = await Promise.all([asking, ordered(engine, product), ordered(engine, product)]);
    expect(page.orders.length).toBeLessThanOrEqual(17);
    seen.push(...idsOf(page));
    next = page.next;
  } while (next !== null);
  expect(new Set(seen).size).toBe(seen.length);
  expect(seen).toEqual([...seen].sort().reverse());
  const old = new Set(before.map(orderId));
  expect(new Set(seen.filter((id) => old.has(id)))).toEqual(old);
  const fifty = await list(`?product_id=${product.id}`);
  expect(fifty.orders).toHaveLength(50);
  expect(fifty.next).toBe(fifty.orders.at(-1)?.order_id);
  expect((await list('?limit=200')).orders.length).toBeGreaterThan(130);
});

test('a page that ends with the last order is the last one', async () => {
  const product = await makeProduct(engine);
  const ids = (await atOnce(6, () => ordered(engine, product))).map(orderId).sort().reverse();
  const first = await list(`?product_id=${product.id}&limit=3`);
  expect([idsOf(first), first.next]).toEqual([ids.slice(0, 3), ids[2]]);
  const second = await list(`?product_id=${product.id}&limit=3&after=${first.next}`);
  expect([idsOf(second), second.next]).toEqual([ids.slice(3), null]);
});

test.for<[string, string[]]>([
  ['status=held', ['status']],
  ['status=returned', ['status']],
  ['status=', ['status']],
  ['status=paid&status=pending', ['status']],
  ['product_id=0', ['product_id']],
  ['product_id=lamp', ['product_id']],
  ['product_id=9007199254740993', ['product_id']],
  ['buyer=', ['buyer']],
  ['buyer=two%20words', ['buyer']],
  ['from=yesterday', ['from']],
  ['from=2026-01-01', ['from']],
  ['to=2026-01-01T00:00:00', ['to']],
  ['from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z', ['to']],
  ['from=2026-01-01T00:00:00Z&to=2026-01-01T00:00:00Z', ['to']],
  ['limit=0', ['limit']],
  ['limit=201', ['limit']],
  ['limit=1.5', ['limit']],
  ['limit=-1', ['limit']],
  ['limit=1e2', ['limit']],
  ['after=hold_01jzc000000000000000000000', ['after']],
  ['after=42', ['after']],
  ['page=2', ['page']],
  ['status=x&limit=x&product_id=x', ['limit', 'product_id', 'status']],
])('the query %s is refused', async ([query, fields]) => {
  expectInvalid(await client.admin('GET', `/orders?${query}`), fields);
});

test('there is no other method', async () => {
  expectProblem(await client.admin('POST', '/orders', {}), 'not_found');
});
