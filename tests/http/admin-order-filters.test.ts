import mysql from 'mysql2/promise';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { listOrders } from '../../src/db/order-list.ts';
import { firstIdAt, holdId, orderId } from '../../src/domain/ids.ts';
import type { OrderFilter } from '../../src/domain/order-list.ts';
import type { OrderState } from '../../src/domain/reservation.ts';
import { startEngine, type TestEngine } from '../support/engine.ts';
import { appOn, type Client, clientOf } from './support.ts';

// A table with more orders than one page may look at, written by the test itself.

const COUNT = 12_000;
const STATES: OrderState[] = [
  ...(['paid', 'paid', 'paid', 'expired', 'cancelled'] as const),
  ...(['pending', 'refund_due', 'refunded', 'returned'] as const),
];
/** Of a long list; more than two pages. */
const ENOUGH = 450;
const PRODUCTS = [1, 2, 3];
const BUYERS = ['ann', 'bob', ''];
const FIRST_MS = Date.UTC(2026, 10, 1);
const APART_MS = 60_000;
/** How long after its hold an order is made here at most: as long as a hold can last. */
const LATER_MAX_MS = 2 * 86_400_000;

interface MadeOrder {
  id: string;
  state: OrderState;
  products: number[];
  buyer: string;
  createdAtMs: number;
}

let t: TestEngine;
let client: Client;
const made: MadeOrder[] = [];

beforeAll(async () => {
  t = await startEngine({ config: { roles: ['api'] } });
  client = clientOf(appOn(t));
  for (let index = 0; index < COUNT; index += 1) {
    const atMs = FIRST_MS + index * APART_MS;
    const product = PRODUCTS[index % 3] ?? 0;
    made.push({
      id: firstIdAt(atMs),
      state: STATES[(index * 7) % STATES.length] ?? 'paid',
      products: index % 10 === 0 ? [product, 9] : [product],
      buyer: index === 0 ? 'eve' : (BUYERS[(index * 5) % 7] ?? 'zoe'),
      createdAtMs: atMs + ((index * 7_919_000) % LATER_MAX_MS),
    });
  }
  for (let first = 0; first < COUNT; first += 1_000) {
    const some = made.slice(first, first + 1_000);
    await t.mysql.query(
      'INSERT INTO orders (id, hold_id, state, version, buyer, amount_minor, currency, created_at,' +
        ' pay_by) VALUES ?',
      [
        some.map(({ id, state, buyer, createdAtMs }) => [
          ...[orderId(id), holdId(id), state, 2, buyer, 100, 'USD'],
          ...[new Date(createdAtMs), new Date(createdAtMs)],
        ]),
      ],
    );
    const items = some.flatMap(({ id, products }) =>
      products.map((product) => [holdId(id), product, 1, 100]),
    );
    await t.mysql.query('INSERT INTO hold_items (hold_id, product_id, qty, price_minor) VALUES ?', [
      items,
    ]);
  }
});
afterAll(() => t.stop());

const MIDDLE_MS = FIRST_MS + (COUNT / 2) * APART_MS;
const STATES_ASKED = [null, ['paid'], ['pending'], ['refunded', 'returned']] as const;
const WINDOWS = [
  { fromMs: null, toMs: null },
  { fromMs: null, toMs: MIDDLE_MS },
  { fromMs: MIDDLE_MS, toMs: MIDDLE_MS + 600 * APART_MS },
];

/** Every combination of filters. */
const FILTERS: OrderFilter[] = STATES_ASKED.flatMap((states) =>
  [null, 2, 9].flatMap((productId) =>
    [null, 'ann'].flatMap((buyer) =>
      WINDOWS.map((window) => ({ states, productId, buyer, ...window })),
    ),
  ),
);

const isMeant = (
  { states, productId, buyer, fromMs, toMs }: OrderFilter,
  { state, products, createdAtMs, ...order }: MadeOrder,
): boolean =>
  (states?.includes(state) ?? true) &&
  (productId === null || products.includes(productId)) &&
  (buyer === null || order.buyer === buyer) &&
  (fromMs === null || createdAtMs >= fromMs) &&
  (toMs === null || createdAtMs < toMs);

test('every combination of filters lists what it says, the newest first', async () => {
  for (const filter of FILTERS) {
    const meant = made.filter((order) => isMeant(filter, order)).map(({ id }) => id);
    const expected = meant.reverse().slice(0, ENOUGH);
    const listed: string[] = [];
    let after: string | null = null;
    do {
      const page = await listOrders(t.database, filter, { after, limit: 200 });
      for (const order of page.orders) listed.push(order.id);
      after = page.next;
    } while (after !== null && listed.length < ENOUGH);
    expect(listed.slice(0, ENOUGH), JSON.stringify(filter)).toEqual(expected);
  }
});

test('whoever asks for one of many gets short pages, and finds it', async () => {
  let [pages, next]: [number, string | null] = [0, null];
  const found: unknown[] = [];
  do {
    const after: string = next === null ? '' : `&after=${next}`;
    const { status, body } = await client.admin('GET', `/orders?buyer=eve${after}`);
    expect(status).toBe(200);
    found.push(...(body.orders as unknown[]));
    next = body.next as string | null;
    pages += 1;
  } while (next !== null);
  expect(found).toMatchObject([{ order_id: orderId(made[0]?.id ?? ''), buyer: 'eve' }]);
  expect(pages).toBe(2);
});

test('"refunded" lists both kinds, and tells them as one', async () => {
  const { body } = await client.admin('GET', '/orders?status=refunded&limit=200');
  const orders = body.orders as { order_id: string; status: string }[];
  expect(new Set(orders.map(({ status }) => status))).toEqual(new Set(['refunded']));
  const states = new Map(made.map(({ id, state }) => [orderId(id), state]));
  const kinds = orders.map(({ order_id: id }) => states.get(id));
  expect(new Set(kinds)).toEqual(new Set(['refunded', 'returned']));
});

interface Plan {
  type: string | null;
  key: string | null;
  rows: number | null;
}

test('no statement reads a whole table, whatever is asked for', async () => {
  const sent: string[] = [];
  const query = (sql: string, values: unknown[]) => {
    sent.push(mysql.format(sql, values as string[]));
    return t.database.pool.query(sql, values);
  };
  const recorded = { pool: { query } } as unknown as TestEngine['database'];
  for (const filter of FILTERS) {
    for (const after of [null, made[COUNT / 2]?.id ?? '']) {
      await listOrders(recorded, filter, { after, limit: 50 });
    }
  }
  // Ids apart, many are the same.
  const kindOf = (sql: string) =>
    sql.replaceAll(/'(?:order|hold)_[\w~]*'/g, '?').replaceAll('?, ', '');
  const kinds = new Map(sent.map((sql) => [kindOf(sql), sql]));
  expect(kinds.size).toBeGreaterThan(10);
  for (const sql of kinds.values()) {
    expect(sql.startsWith('SELECT')).toBe(true);
    const plans = (await t.sql(`EXPLAIN FORMAT=TRADITIONAL ${sql}`)) as unknown as Plan[];
    for (const { type, key } of plans) {
      expect(type, sql.slice(0, 300)).not.toBe('ALL');
      expect(key, sql.slice(0, 300)).toMatch(/^(PRIMARY|orders_state|hold_items_product)$/);
    }
  }
});
