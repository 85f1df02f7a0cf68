import type { PoolConnection, RowDataPacket } from 'mysql2/promise';
import { firstIdAt, holdId, orderId, type ReservationId } from '../domain/ids.ts';
import type { OrderFilter, OrderPage } from '../domain/order-list.ts';
import { EXTEND_SECONDS_MAX, HOLD_TTL_SECONDS_MAX } from '../domain/product.ts';
import type { Item, OrderState } from '../domain/reservation.ts';

// Lists of orders for people. An index gives candidates in the order of their ids, which is that of
// time; their rows decide. However much is stored, each statement looks at `LOOKED_AT` of it, and a page
// at no more than `LOOKS_MAX` times as many: it then ends where it has got to. Which index is said to
// MySQL, which would read a small table as a whole, and a large one where its statistics are old.

const LOOKED_AT = 500;
const LOOKS_MAX = 20;

/** An id is made with its hold; the order can come as late as a hold can last. */
const LIFETIME_MAX_MS = 1_000 * (HOLD_TTL_SECONDS_MAX + EXTEND_SECONDS_MAX);
/** Ids have the clock of the API, orders that of Redis. */
const CLOCK_SLACK_MS = 3_600_000;
/** Sorts behind every id. */
const LAST = '~';

/** States of few orders, whatever was sold: those that wait for somebody, and those that went back. */
const RARE = new Set<OrderState>(['pending', 'refund_due', 'refunded', 'returned']);

const BY_ID =
  'SELECT id FROM orders FORCE INDEX (PRIMARY) WHERE id >= ? AND id < ? ORDER BY id DESC LIMIT ?';
const BY_STATE =
  'SELECT id FROM orders FORCE INDEX (orders_state) WHERE state = ? AND id >= ? AND id < ?' +
  ' ORDER BY id DESC LIMIT ?';
const BY_PRODUCT =
  'SELECT hold_id AS id FROM hold_items FORCE INDEX (hold_items_product) WHERE product_id = ?' +
  ' AND hold_id >= ? AND hold_id < ? ORDER BY hold_id DESC LIMIT ?';
const ROWS = 'SELECT o.* FROM orders o FORCE INDEX (PRIMARY) WHERE o.id IN (?)';
const HAS_PRODUCT =
  'EXISTS (SELECT 1 FROM hold_items i FORCE INDEX (PRIMARY) WHERE i.hold_id = o.hold_id' +
  ' AND i.product_id = ?)';
const ITEMS =
  'SELECT hold_id, product_id, qty FROM hold_items FORCE INDEX (PRIMARY) WHERE hold_id IN (?)' +
  ' ORDER BY hold_id, product_id';

interface Connection {
  pool: Pick<PoolConnection, 'query'>;
}

type Row = RowDataPacket;

async function idsOf({ pool }: Connection, sql: string, values: unknown[]): Promise<string[]> {
  const [rows] = await pool.query<Row[]>(sql, values);
  // Of a hold or an order: they share what follows the prefix.
  return rows.map((row) => String(row.id).slice(String(row.id).indexOf('_') + 1));
}

/** The newest ids between two that the index with the fewest candidates has, the newest first. */
async function candidatesOf(
  database: Connection,
  { states, productId }: OrderFilter,
  [first, last]: readonly [string, string],
  count: number,
): Promise<ReservationId[]> {
  const isRare = states?.every((state) => RARE.has(state));
  if (productId !== null && !isRare) {
    return idsOf(database, BY_PRODUCT, [productId, holdId(first), holdId(last), count]);
  }
  const range = [orderId(first), orderId(last), count];
  if (!states) return idsOf(database, BY_ID, range);
  const found: ReservationId[] = [];
  for (const state of states) found.push(...(await idsOf(database, BY_STATE, [state, ...range])));
  return found.sort((a, b) => (a < b ? 1 : -1)).slice(0, count);
}

const ms = (time: Date | null): number => time?.getTime() ?? 0;

/** Those of the candidates that the filter is about, the newest first. */
async function rowsOf(
  { pool }: Connection,
  { states, productId, buyer, fromMs, toMs }: OrderFilter,
  ids: readonly ReservationId[],
): Promise<Row[]> {
  const conditions: [sql: string, value: unknown][] = [];
  if (states) conditions.push(['o.state IN (?)', states]);
  if (productId !== null) conditions.push([HAS_PRODUCT, productId]);
  if (buyer !== null) conditions.push(['o.buyer = ?', buyer]);
  if (fromMs !== null) conditions.push(['o.created_at >= ?', new Date(fromMs)]);
  if (toMs !== null) conditions.push(['o.created_at < ?', new Date(toMs)]);
  const sql = [ROWS, ...conditions.map(([condition]) => condition)].join(' AND ');
  const values = [ids.map(orderId), ...conditions.map(([, value]) => value)];
  const [rows] = await pool.query<Row[]>(`${sql} ORDER BY o.id DESC`, values);
  return rows;
}

async function itemsOf({ pool }: Connection, rows: readonly Row[]): Promise<Map<string, Item[]>> {
  const items = new Map<string, Item[]>();
  if (rows.length === 0) return items;
  const [found] = await pool.query<Row[]>(ITEMS, [rows.map((row) => row.hold_id)]);
  for (const { hold_id: hold, product_id: productId, qty } of found) {
    const known = items.get(hold) ?? [];
    known.push({ productId: Number(productId), qty: Number(qty) });
    items.set(hold, known);
  }
  return items;
}

const reservationOf = (row: Row): ReservationId => String(row.id).slice(orderId('').length);

async function pageOf(
  database: Connection,
  rows: readonly Row[],
  next: ReservationId | null,
): Promise<OrderPage> {
  const items = await itemsOf(database, rows);
  const orders = rows.map((row) => ({
    id: reservationOf(row),
    state: row.state as OrderState,
    items: items.get(row.hold_id) ?? [],
    amountMinor: Number(row.amount_minor),
    currency: String(row.currency),
    createdAtMs: ms(row.created_at),
    payByMs: ms(row.pay_by),
    reference: row.reference as string | null,
    settledAtMs: row.settled_at ? ms(row.settled_at) : null,
    refundedAtMs: row.refunded_at ? ms(row.refunded_at) : null,
    buyer: String(row.buyer),
  }));
  return { orders, next };
}

/**
 * The newest orders of this kind, at most `limit`, that come after `after`. Orders that are made
 * meanwhile are at the front: pages neither lose nor repeat what was there before.
 */
export async function listOrders(
  database: Connection,
  filter: OrderFilter,
  { after, limit }: { after: ReservationId | null; limit: number },
): Promise<OrderPage> {
  const { fromMs, toMs } = filter;
  const first = fromMs === null ? '' : firstIdAt(fromMs - LIFETIME_MAX_MS - CLOCK_SLACK_MS);
  const end = toMs === null ? LAST : firstIdAt(toMs + CLOCK_SLACK_MS);
  let last = after !== null && after < end ? after : end;
  const rows: Row[] = [];
  for (let looks = 0; looks < LOOKS_MAX; looks += 1) {
    // Where most of them are asked for, the first look is enough.
    const count = looks === 0 ? limit + 1 : LOOKED_AT;
    const ids = await candidatesOf(database, filter, [first, last], count);
    if (ids.length > 0) rows.push(...(await rowsOf(database, filter, ids)));
    if (rows.length > limit) {
      const shown = rows.slice(0, limit);
      const lastShown = shown.at(-1);
      return pageOf(database, shown, lastShown ? reservationOf(lastShown) : null);
    }
    if (ids.length < count) return pageOf(database, rows, null);
    last = ids.at(-1) ?? last;
  }
  return pageOf(database, rows, last);
}
