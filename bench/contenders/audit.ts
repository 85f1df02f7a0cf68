import type { RowDataPacket } from 'mysql2/promise';
import { productKey } from '../../src/redis/keys.ts';
import type { Stores } from '../servers.ts';
import { AuditFailed, mustBe } from './contender.ts';

const LANE = 0;
const NAMES = ['total', 'available', 'held'] as const;

type ById = Map<number, Record<string, unknown>>;

const NO_HOLDS = { persisted: 0, units: 0 };

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

/**
 * Throws `AuditFailed` unless the products, each with this stock, are held as often as answers have
 * granted it, no product more often than it has units, and Redis, the stock in MySQL and the rows of
 * holds there say the same of each.
 */
export async function auditHolds(
  stores: Stores,
  productIds: readonly number[],
  stock: number,
  accepted: number,
): Promise<void> {
  const rows = await inMysql(
    stores,
    'SELECT product_id, COUNT(*) AS persisted, SUM(qty) AS units FROM hold_items' +
      " JOIN holds ON id = hold_id WHERE product_id IN (?) AND state = 'held' GROUP BY product_id",
    productIds,
  );
  const books = await inMysql(
    stores,
    'SELECT product_id, total, available, held FROM stock WHERE product_id IN (?)',
    productIds,
  );
  const counters = await inRedis(stores, productIds);
  let persisted = 0;
  for (const id of productIds) {
    const row = rows.get(id) ?? NO_HOLDS;
    const held = Number(row.persisted);
    mustBe('holdfast, in MySQL', row, { units: held });
    if (held > stock) throw new AuditFailed(`holdfast: oversold by ${held - stock}`);
    const expected = { total: stock, available: stock - held, held };
    mustBe('holdfast, in Redis', counters.get(id) ?? {}, expected);
    mustBe('holdfast, in MySQL', books.get(id) ?? {}, expected);
    persisted += held;
  }
  mustBe('holdfast, in MySQL', { persisted }, { persisted: accepted });
}

/** The same of a product whose holds have all run out since they were granted. */
export async function auditExpired(
  stores: Stores,
  productId: number,
  stock: number,
  accepted: number,
): Promise<void> {
  await auditHolds(stores, [productId], stock, 0);
  const rows = await inMysql(
    stores,
    'SELECT product_id, COUNT(*) AS expired FROM hold_items JOIN holds ON id = hold_id' +
      " WHERE product_id IN (?) AND state = 'expired' GROUP BY product_id",
    [productId],
  );
  mustBe('holdfast, in MySQL', rows.get(productId) ?? { expired: 0 }, { expired: accepted });
}
