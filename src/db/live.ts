import { and, asc, eq, gt, inArray, isNotNull, sql } from 'drizzle-orm';
import type { RowDataPacket } from 'mysql2/promise';
import { holdId, orderId, type ReservationId } from '../domain/ids.ts';
import type { Counters } from '../domain/product.ts';
import type { Item, ReservationRecord } from '../domain/reservation.ts';
import type { Database } from './client.ts';
import { type ProductRow, toProductRow } from './products.ts';
import { holdItems, holds, orders, products, stock, stockAdjustments } from './schema.ts';

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

async function itemsOf(
  { orm }: Database,
  rows: readonly { id: string }[],
): Promise<Map<string, Item[]>> {
  const items = new Map<string, Item[]>();
  const holdIds = rows.map(({ id }) => id);
  if (holdIds.length === 0) return items;
  const found = await orm
    .select()
    .from(holdItems)
    .where(inArray(holdItems.holdId, holdIds))
    .orderBy(asc(holdItems.holdId), asc(holdItems.productId));
  for (const { holdId: id, productId, qty } of found) {
    const known = items.get(id);
    if (known) known.push({ productId, qty });
    else items.set(id, [{ productId, qty }]);
  }
  return items;
}

const ms = (time: Date | null): number => time?.getTime() ?? 0;

type HoldRow = typeof holds.$inferSelect;

const holdEffect = (hold: HoldRow): FirstEffects['hold'] => ({
  key: hold.idempotencyKey,
  fingerprint: hold.fingerprint,
  atMs: ms(hold.createdAt),
  deadlineMs: ms(hold.expiresAt),
});

/** Holds that nobody has ended, by id; `after` is the id of the last one of the page before. */
export const listLiveHolds: Page<LiveRow & { first: FirstEffects }> = async (
  database,
  lane,
  after,
  limit,
) => {
  const rows = await database.orm
    .select()
    .from(holds)
    .where(and(eq(holds.lane, lane), eq(holds.state, 'held'), gt(holds.id, holdId(after))))
    .orderBy(asc(holds.id))
    .limit(limit);
  const items = await itemsOf(database, rows);
  return rows.map((hold) => {
    const id = hold.id.slice(holdId('').length);
    const { version, amountMinor, currency, buyer, counted } = hold;
    return {
      id,
      record: {
        state: 'held',
        version,
        items: items.get(hold.id) ?? [],
        amountMinor,
        currency,
        buyer,
        counted,
        deadlineMs: ms(hold.expiresAt),
        ordered: false,
        reference: '',
      },
      first: { id, hold: holdEffect(hold), order: { key: '', atMs: 0 }, amountMinor, currency },
    };
  });
};

/** Orders that await their payment, by id. */
export const listPendingOrders: Page<LiveRow> = async (database, lane, after, limit) => {
  const rows = await database.orm
    .select()
    .from(orders)
    .where(and(eq(orders.lane, lane), eq(orders.state, 'pending'), gt(orders.id, orderId(after))))
    .orderBy(asc(orders.id))
    .limit(limit);
  const items = await itemsOf(
    database,
    rows.map((order) => ({ id: order.holdId })),
  );
  return rows.map((order) => {
    const { state, version, amountMinor, currency, buyer, counted } = order;
    return {
      id: order.id.slice(orderId('').length),
      record: {
        state,
        version,
        items: items.get(order.holdId) ?? [],
        amountMinor,
        currency,
        buyer,
        counted,
        deadlineMs: ms(order.payBy),
        ordered: true,
        reference: order.reference ?? '',
      },
    };
  });
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
      hold: holdEffect(hold),
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
          isNotNull(stockAdjustments.epoch),
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
