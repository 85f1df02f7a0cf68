import { and, asc, eq, gt, isNotNull, or, sql } from 'drizzle-orm';
import type { RowDataPacket } from 'mysql2/promise';
import { holdId, orderId, type ReservationId } from '../domain/ids.ts';
import type { Counters } from '../domain/product.ts';
import type { Item, ReservationRecord } from '../domain/reservation.ts';
import type { Database } from './client.ts';
import { IS_WAITING, type ProductRow, toProductRow } from './products.ts';
import { holds, orders, products, stock, stockAdjustments } from './schema.ts';

// What a lane's rows say is alive, page by page: what a rebuild loads. Pages go by primary key, so
// that all of them together read a table once.

/** A reservation whose units are held or pending. */
export interface LiveRow {
  id: ReservationId;
  record: ReservationRecord;
}

/** What a reservation's requests may be repeated for, under their Idempotency-Keys or ''. */
export interface FirstEffects {
  id: ReservationId;
  hold: { key: string; fingerprint: string; atMs: number; deadlineMs: number };
  order: { key: string; atMs: number };
  amountMinor: number;
  currency: string;
}

type Page<T> = (database: Database, lane: number, after: string, limit: number) => Promise<T[]>;

const ms = (time: Date | null): number => time?.getTime() ?? 0;

// A reservation and its items in one round trip, by mysql2 itself: a million of them are read at a
// time, and the query builder would take longer than MySQL. Items follow each other.
async function readLive(
  { pool }: Database,
  sql: string,
  values: unknown[],
): Promise<{ row: RowDataPacket; items: Item[] }[]> {
  const [rows] = await pool.query<RowDataPacket[]>(sql, values);
  const live: { row: RowDataPacket; items: Item[] }[] = [];
  for (const row of rows) {
    let last = live.at(-1);
    if (last?.row.id !== row.id) {
      last = { row, items: [] };
      live.push(last);
    }
    // A left join: rows of items can be lost, too.
    if (row.product_id !== null) {
      last?.items.push({ productId: Number(row.product_id), qty: Number(row.qty) });
    }
  }
  return live;
}

const LIVE_HOLDS = `SELECT h.*, i.product_id, i.qty FROM (SELECT id, version, buyer, counted,
    amount_minor, currency, idempotency_key, fingerprint, created_at, expires_at FROM holds
    WHERE lane = ? AND state = 'held' AND id > ? ORDER BY id LIMIT ?) h
  LEFT JOIN hold_items i ON i.hold_id = h.id ORDER BY h.id, i.product_id`;

const PENDING_ORDERS = `SELECT o.*, i.product_id, i.qty FROM (SELECT id, hold_id, version, buyer,
    counted, amount_minor, currency, reference, pay_by FROM orders
    WHERE lane = ? AND state = 'pending' AND id > ? ORDER BY id LIMIT ?) o
  LEFT JOIN hold_items i ON i.hold_id = o.hold_id ORDER BY o.id, i.product_id`;

/** Holds that nobody has ended, by id; `after` is the id of the last one of the page before. */
export const listLiveHolds: Page<LiveRow & { first: FirstEffects }> = async (
  database,
  lane,
  after,
  limit,
) => {
  const live = await readLive(database, LIVE_HOLDS, [lane, holdId(after), limit]);
  return live.map(({ row, items }) => {
    const id = String(row.id).slice(holdId('').length);
    const [amountMinor, deadlineMs] = [Number(row.amount_minor), ms(row.expires_at)];
    const { version, currency, buyer } = row;
    const hold = {
      key: row.idempotency_key,
      fingerprint: row.fingerprint,
      atMs: ms(row.created_at),
      deadlineMs,
    };
    return {
      id,
      record: {
        state: 'held',
        version,
        items,
        amountMinor,
        currency,
        buyer,
        counted: Boolean(row.counted),
        deadlineMs,
        ordered: false,
        reference: '',
      },
      first: { id, hold, order: { key: '', atMs: 0 }, amountMinor, currency },
    };
  });
};

/** Orders that await their payment, by id. */
export const listPendingOrders: Page<LiveRow> = async (database, lane, after, limit) => {
  const live = await readLive(database, PENDING_ORDERS, [lane, orderId(after), limit]);
  return live.map(({ row, items }) => ({
    id: String(row.id).slice(orderId('').length),
    record: {
      state: 'pending',
      version: row.version,
      items,
      amountMinor: Number(row.amount_minor),
      currency: row.currency,
      buyer: row.buyer,
      counted: Boolean(row.counted),
      deadlineMs: ms(row.pay_by),
      ordered: true,
      reference: row.reference ?? '',
    },
  }));
};

/** First effects of the orders made since a moment, whatever became of them, by id. */
export const listOrdersSince =
  (since: Date): Page<FirstEffects> =>
  async ({ orm }, lane, after, limit) => {
    const rows = await orm
      .select({ order: orders, hold: holds })
      .from(orders)
      .innerJoin(holds, eq(holds.id, orders.holdId))
      .where(and(eq(orders.lane, lane), gt(orders.createdAt, since), gt(orders.id, orderId(after))))
      .orderBy(asc(orders.id))
      .limit(limit);
    return rows.map(({ order, hold }) => ({
      id: order.id.slice(orderId('').length),
      hold: {
        key: hold.idempotencyKey,
        fingerprint: hold.fingerprint,
        atMs: ms(hold.createdAt),
        deadlineMs: ms(hold.expiresAt),
      },
      order: { key: order.idempotencyKey, atMs: ms(order.createdAt) },
      amountMinor: order.amountMinor,
      currency: order.currency,
    }));
  };

/**
 * Products of a lane that its journal has told of, with their counters. One without a row in
 * `products` may still have holds and orders.
 */
export async function listStockedProducts(
  { orm }: Database,
  lane: number,
): Promise<{ id: number; product: ProductRow | undefined; counters: Counters }[]> {
  const rows = await orm
    .select({ product: products, stock })
    .from(stock)
    .leftJoin(products, eq(products.id, stock.productId))
    .where(eq(stock.lane, lane))
    .orderBy(asc(stock.productId));
  return rows.map(({ product, stock: { productId, total, available, held, pending, sold } }) => ({
    id: productId,
    product: product ? toProductRow(product, true) : undefined,
    counters: { total, available, held, pending, sold },
  }));
}

/** Units of each product that count towards each buyer's limit. */
export async function countBuyers(
  { pool }: Database,
  lane: number,
): Promise<{ productId: number; buyer: string; units: number }[]> {
  const [rows] = await pool.query<RowDataPacket[]>(
    `SELECT product_id, buyer, SUM(qty) AS units FROM (
        SELECT i.product_id, h.buyer, i.qty FROM holds h JOIN hold_items i ON i.hold_id = h.id
          WHERE h.lane = ? AND h.state = 'held' AND h.counted
        UNION ALL
        SELECT i.product_id, o.buyer, i.qty FROM orders o JOIN hold_items i ON i.hold_id = o.hold_id
          WHERE o.lane = ? AND o.state IN ('pending', 'paid', 'refunded') AND o.counted
      ) counted GROUP BY product_id, buyer`,
    [lane, lane],
  );
  return rows.map((row) => ({
    productId: Number(row.product_id),
    buyer: String(row.buyer),
    units: Number(row.units),
  }));
}

/** A stock adjustment that the journal has, as Redis remembers it. */
export interface MadeAdjustment {
  id: string;
  productId: number;
  key: string;
  delta: number;
  atMs: number;
}

/** Adjustments of a lane made since a moment, by product and key. */
export const listAdjustmentsSince =
  (since: Date): Page<MadeAdjustment> =>
  async ({ orm }, lane, after, limit) => {
    const [productId = '0', key = ''] = after.split(/:(.*)/s);
    const rows = await orm
      .select({ made: stockAdjustments })
      .from(stockAdjustments)
      .innerJoin(stock, eq(stock.productId, stockAdjustments.productId))
      .where(
        and(
          eq(stock.lane, lane),
          or(isNotNull(stockAdjustments.epoch), IS_WAITING),
          gt(stockAdjustments.createdAt, since),
          sql`(${stockAdjustments.productId}, ${stockAdjustments.key}) > (${Number(productId)}, ${key})`,
        ),
      )
      .orderBy(asc(stockAdjustments.productId), asc(stockAdjustments.key))
      .limit(limit);
    return rows.map(({ made }) => ({
      id: `${made.productId}:${made.key}`,
      productId: made.productId,
      key: made.key,
      delta: made.delta,
      atMs: ms(made.createdAt),
    }));
  };
