import type { RowDataPacket } from 'mysql2/promise';
import { productKey } from '../../src/redis/keys.ts';
import type { Stores } from '../servers.ts';
import { AuditFailed, mustBe } from './contender.ts';

const LANE = 0;
const NAMES = ['total', 'available', 'held', 'pending'] as const;

/** What answers have granted, and what has become of some of it. */
export interface Granted {
  holds: number;
  orders?: number;
  expired?: number;
}

type ById = Map<number, Record<string, unknown>>;

async function inRedis({ redis }: Stores, productIds: readonly number[]): Promise<ById> {
  const pipeline = redis.pipeline();
  for (const id of productIds) pipeline.hmget(productKey(LANE, id), ...NAMES);
  const replies = (await pipeline.exec()) ?? [];
  return new Map(
    productIds.map((id, index) => {
      const values = (replies[index]?.[1] ?? []) as (string | null)[];
      return [id, Object.fromEntries(NAMES.map((name, nth) => [name, values[nth]]))];
    }),
  );
}

async function inMysql(
  { mysql }: Stores,
  sql: string,
  productIds: readonly number[],
): Promise<ById> {
  const [rows] = await mysql.query<RowDataPacket[]>(sql, [productIds]);
  return new Map(rows.map((row) => [Number(row.product_id), row]));
}

const HOLD_ROWS =
  'SELECT product_id, COUNT(*) AS holds, SUM(qty) AS units,' +
  " SUM(state = 'held') AS held, SUM(state = 'expired') AS expired" +
  ' FROM hold_items JOIN holds ON id = hold_id WHERE product_id IN (?) GROUP BY product_id';
const ORDER_ROWS =
  'SELECT product_id, COUNT(*) AS orders FROM orders JOIN hold_items USING (hold_id)' +
  " WHERE state = 'pending' AND product_id IN (?) GROUP BY product_id";
const STOCK_ROWS = `SELECT product_id, ${NAMES.join(', ')} FROM stock WHERE product_id IN (?)`;

/**
 * Throws `AuditFailed` unless the products, each with this stock, are held and ordered, one unit
 * each, as often as answers have granted it, no product more often than it has units, and Redis,
 * the stock in MySQL and the rows of holds and orders there say the same of each.
 */
export async function auditStores(
  stores: Stores,
  productIds: readonly number[],
  stock: number,
  { holds, orders = 0, expired = 0 }: Granted,
): Promise<void> {
  const holdRows = await inMysql(stores, HOLD_ROWS, productIds);
  const orderRows = await inMysql(stores, ORDER_ROWS, productIds);
  const books = await inMysql(stores, STOCK_ROWS, productIds);
  const counters = await inRedis(stores, productIds);
  const found = { holds: 0, orders: 0, expired: 0 };
  for (const id of productIds) {
    const rows = holdRows.get(id) ?? { holds: 0, units: 0, held: 0, expired: 0 };
    const own = { holds: Number(rows.holds), expired: Number(rows.expired), orders: 0 };
    own.orders = Number(orderRows.get(id)?.orders ?? 0);
    const taken = own.holds - own.expired;
    const held = taken - own.orders;
    mustBe('holdfast, in MySQL', rows, { units: own.holds, held });
    const expected = { total: stock, available: stock - taken, held, pending: own.orders };
    mustBe('holdfast, in Redis', counters.get(id) ?? {}, expected);
    mustBe('holdfast, in MySQL', books.get(id) ?? {}, expected);
    if (taken > stock) throw new AuditFailed(`holdfast: oversold by ${taken - stock}`);
    found.holds += own.holds;
    found.orders += own.orders;
    found.expired += own.expired;
  }
  mustBe('holdfast, in MySQL', found, { holds, orders, expired });
}
