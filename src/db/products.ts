import { and, asc, eq, gte, isNull, lt, not, or, sql } from 'drizzle-orm';
import type { ResultSetHeader } from 'mysql2/promise';
import type { NewProduct, RulesPatch } from '../domain/outcomes.ts';
import type { ProductRules } from '../domain/product.ts';
import type { Database } from './client.ts';
import { products, stock, stockAdjustments } from './schema.ts';

/** A product's row, as `put_product` wants it. */
export interface ProductRow {
  id: number;
  lane: number;
  rulesVersion: number;
  /** null once the journal has stock of it: then the row counts no more. */
  initialStock: number | null;
  rules: ProductRules;
}

type Row = typeof products.$inferSelect;

export function toProductRow(row: Row, isInJournal: boolean): ProductRow {
  const { id, lane, rulesVersion, startsAt, endsAt, ...rest } = row;
  const { name, priceMinor, currency, status, holdTtlMs, payTtlMs, extendMs } = rest;
  const { maxPerHold, maxPerBuyer } = rest;
  return {
    id,
    lane,
    rulesVersion,
    initialStock: isInJournal ? null : row.initialStock,
    rules: {
      name,
      priceMinor,
      currency,
      status,
      startsAtMs: startsAt?.getTime() ?? null,
      endsAtMs: endsAt?.getTime() ?? null,
      holdTtlMs,
      payTtlMs,
      extendMs,
      maxPerHold,
      maxPerBuyer,
    },
  };
}

const dateOrNull = (ms: number | null): Date | null => (ms === null ? null : new Date(ms));

/** Makes a product's row. Its lane is the asked one, or follows from the id. */
export async function insertProduct(
  { orm }: Database,
  product: NewProduct & { holdTtlMs: number; payTtlMs: number },
  lanes: number,
): Promise<number> {
  const { startsAtMs, endsAtMs, totalStock, lane, ...rest } = product;
  return orm.transaction(async (tx) => {
    const [inserted] = await tx.insert(products).values({
      ...rest,
      lane: lane ?? 0,
      initialStock: totalStock,
      status: 'active',
      startsAt: dateOrNull(startsAtMs),
      endsAt: dateOrNull(endsAtMs),
      rulesVersion: 1,
      createdAt: new Date(),
    });
    const id = Number(inserted.insertId);
    if (lane === null && lanes > 1) {
      await tx
        .update(products)
        .set({ lane: id % lanes })
        .where(eq(products.id, id));
    }
    return id;
  });
}

/** Changes rules under a new version; false when there is no such product. */
export async function updateRules(
  { orm }: Database,
  id: number,
  patch: RulesPatch,
): Promise<boolean> {
  const { startsAtMs, endsAtMs, ...rest } = patch;
  const [result] = (await orm
    .update(products)
    .set({
      ...rest,
      ...(startsAtMs === undefined ? {} : { startsAt: dateOrNull(startsAtMs) }),
      ...(endsAtMs === undefined ? {} : { endsAt: dateOrNull(endsAtMs) }),
      rulesVersion: sql`${products.rulesVersion} + 1`,
    })
    .where(eq(products.id, id))) as [ResultSetHeader, unknown];
  return result.affectedRows === 1;
}

/** Gives a product's rules a version that is at least this high. */
export async function raiseRulesVersion(
  { orm }: Database,
  id: number,
  version: number,
): Promise<void> {
  await orm
    .update(products)
    .set({ rulesVersion: sql`GREATEST(${products.rulesVersion}, ${version})` })
    .where(eq(products.id, id));
}

export async function readProductRow(
  { orm }: Database,
  id: number,
): Promise<ProductRow | undefined> {
  const [row] = await orm
    .select({ product: products, stockOf: stock.productId })
    .from(products)
    .leftJoin(stock, eq(stock.productId, products.id))
    .where(eq(products.id, id));
  return row && toProductRow(row.product, row.stockOf !== null);
}

/** Asks whether MySQL has the journal's word that Redis has these rules, or newer ones. */
export async function areRulesApplied(
  { orm }: Database,
  id: number,
  version: number,
): Promise<boolean> {
  const rows = await orm
    .select({ id: products.id })
    .from(products)
    .where(and(eq(products.id, id), gte(products.rulesApplied, version)));
  return rows.length > 0;
}

/** Products whose newest rules may not have reached Redis: a process died on the way. */
export async function listUnapplied({ orm }: Database, limit: number): Promise<ProductRow[]> {
  const rows = await orm
    .select({ product: products, stockOf: stock.productId })
    .from(products)
    .leftJoin(stock, eq(stock.productId, products.id))
    .where(or(lt(products.rulesApplied, products.rulesVersion), isNull(stock.productId)))
    .orderBy(asc(products.id))
    .limit(limit);
  return rows.map(({ product, stockOf }) => toProductRow(product, stockOf !== null));
}

/** A stock adjustment's row. It is in the journal once it has a position. */
export interface Adjustment {
  productId: number;
  key: string;
  delta: number;
  isApplied: boolean;
}

/**
 * Whether the journal has an adjustment whose row MySQL did not take: it waits as a dead letter, and
 * was made all the same.
 */
export const IS_WAITING = sql<number>`EXISTS (SELECT 1 FROM dead_letters d WHERE d.kind = 'stock'
  AND d.replayed_at IS NULL AND JSON_VALUE(d.payload, '$.event.key') = ${stockAdjustments.key}
  AND JSON_VALUE(d.payload, '$.event.productId') = ${stockAdjustments.productId})`;

export async function insertAdjustment(
  { orm }: Database,
  productId: number,
  key: string,
  delta: number,
): Promise<void> {
  await orm
    .insert(stockAdjustments)
    .values({ productId, key, delta, createdAt: new Date() })
    .onDuplicateKeyUpdate({ set: { delta: sql`${stockAdjustments.delta}` } });
}

const toAdjustment = (row: typeof stockAdjustments.$inferSelect): Adjustment => ({
  productId: row.productId,
  key: row.key,
  delta: row.delta,
  isApplied: row.epoch !== null,
});

export async function readAdjustment(
  { orm }: Database,
  productId: number,
  key: string,
): Promise<(Adjustment & { isWaiting: boolean }) | undefined> {
  const [row] = await orm
    .select({ adjustment: stockAdjustments, isWaiting: IS_WAITING })
    .from(stockAdjustments)
    .where(and(eq(stockAdjustments.productId, productId), eq(stockAdjustments.key, key)));
  return row && { ...toAdjustment(row.adjustment), isWaiting: Boolean(row.isWaiting) };
}

/** Forgets a refused adjustment, so that the same key may be tried again. */
export async function deleteOpenAdjustment(
  { orm }: Database,
  productId: number,
  key: string,
): Promise<void> {
  await orm
    .delete(stockAdjustments)
    .where(
      and(
        eq(stockAdjustments.productId, productId),
        eq(stockAdjustments.key, key),
        isNull(stockAdjustments.epoch),
      ),
    );
}

/** Adjustments that were asked for before a moment, and that the journal does not have. */
export async function listOpenAdjustments(
  { orm }: Database,
  before: Date,
  limit: number,
): Promise<Adjustment[]> {
  const rows = await orm
    .select()
    .from(stockAdjustments)
    .where(
      and(isNull(stockAdjustments.epoch), lt(stockAdjustments.createdAt, before), not(IS_WAITING)),
    )
    .orderBy(asc(stockAdjustments.createdAt))
    .limit(limit);
  return rows.map(toAdjustment);
}
