import { and, asc, eq, gt, isNull, lt, or, sql } from 'drizzle-orm';
import type { MySqlInsertValue } from 'drizzle-orm/mysql-core';
import type { ResultSetHeader } from 'mysql2/promise';
import { holdId, parseOrderId } from '../domain/ids.ts';
import type { Money, PaymentEvent, ReceiptOutcome } from '../domain/outcomes.ts';
import type { ReservationState } from '../domain/reservation.ts';
import { type Database, isDuplicate } from './client.ts';
import { orders, paymentEvents } from './schema.ts';

/** A payment event as MySQL keeps it. Open while `outcome` is null. */
export interface Receipt extends PaymentEvent {
  outcome: ReceiptOutcome | null;
  /** What the order was then; null where it had no say. */
  orderState: ReservationState | null;
  receivedAt: Date;
  /** The refund that gave its money back. */
  refundedBy: string | null;
}

/** Open events of one order that are looked at together. */
export const OPEN_MAX = 50;

type Row = typeof paymentEvents.$inferSelect;

const moneyOf = ({ amountMinor, currency }: Row): Money | undefined =>
  amountMinor === null || currency === null ? undefined : { amountMinor, currency };

/** Providers write anything there; compared as it is, no index of the orders would serve. */
export const IS_ORDER = eq(orders.id, sql`CONVERT(${paymentEvents.orderId} USING ascii)`);

export const toReceipt = (row: Row): Receipt => ({
  orderId: row.orderId,
  reference: row.reference,
  status: row.status,
  money: moneyOf(row),
  payment: row.payment ?? undefined,
  returnsUnits: row.returnsUnits,
  outcome: row.outcome,
  orderState: row.orderState as ReservationState | null,
  receivedAt: row.receivedAt,
  refundedBy: row.refundedBy,
});

export async function readReceipt(
  { orm }: Database,
  reference: string,
): Promise<Receipt | undefined> {
  const [row] = await orm
    .select()
    .from(paymentEvents)
    .where(eq(paymentEvents.reference, reference));
  return row && toReceipt(row);
}

async function isInserted(
  { orm }: Database,
  values: MySqlInsertValue<typeof paymentEvents>,
): Promise<boolean> {
  try {
    await orm.insert(paymentEvents).values(values);
    return true;
  } catch (error) {
    if (!isDuplicate(error)) throw error;
    return false;
  }
}

async function hasSucceeded({ orm }: Database, orderId: string, payment: string): Promise<boolean> {
  const { orderId: order, payment: id, status } = paymentEvents;
  const rows = await orm
    .select({ order })
    .from(paymentEvents)
    .where(and(eq(order, orderId), eq(id, payment), eq(status, 'success')));
  return rows.some((row) => row.order === orderId);
}

/**
 * Stores an event. `known`: its reference has a receipt already, perhaps of something else.
 * `same_payment`: another event told of this success before, and this one is `ignored` from the
 * start, since money is taken once. Receipts are in the order of MySQL's clock, which all processes
 * share.
 */
export async function storeReceipt(
  database: Database,
  { orderId, reference, status, money, payment, returnsUnits = false }: PaymentEvent,
): Promise<'stored' | 'known' | 'same_payment'> {
  const values = {
    ...{ orderId, reference, status, returnsUnits },
    amountMinor: money?.amountMinor ?? null,
    currency: money?.currency ?? null,
    payment: payment ?? null,
    receivedAt: sql`UTC_TIMESTAMP(3)`,
  };
  const succeeded = status === 'success' ? (payment ?? null) : null;
  if (await isInserted(database, { ...values, succeeded })) return 'stored';
  if (succeeded === null || (await readReceipt(database, reference))) return 'known';
  // One payment may be for several orders; of each, its first event counts.
  const isSame = await hasSucceeded(database, orderId, succeeded);
  const decided = isSame ? ({ outcome: 'ignored', decidedAt: values.receivedAt } as const) : {};
  if (!(await isInserted(database, { ...values, ...decided }))) return 'known';
  return isSame ? 'same_payment' : 'stored';
}

/** Decides an open receipt that no order can decide; false when it was decided already. */
export async function decideReceipt(
  { orm }: Database,
  reference: string,
  outcome: ReceiptOutcome,
): Promise<boolean> {
  const [{ affectedRows }] = await orm
    .update(paymentEvents)
    .set({ outcome, decidedAt: sql`UTC_TIMESTAMP(3)` })
    .where(and(eq(paymentEvents.reference, reference), isNull(paymentEvents.outcome)));
  return affectedRows === 1;
}

type Place = Pick<Receipt, 'receivedAt' | 'reference'>;

const isAfter = ({ receivedAt, reference }: Place) =>
  or(
    gt(paymentEvents.receivedAt, receivedAt),
    and(eq(paymentEvents.receivedAt, receivedAt), gt(paymentEvents.reference, reference)),
  );

/** Open receipts from before a moment, oldest first, after the one named by `after`. */
export async function listOpenReceipts(
  { orm }: Database,
  before: Date,
  after: Place | undefined,
  limit: number,
): Promise<Receipt[]> {
  const rows = await orm
    .select()
    .from(paymentEvents)
    .where(
      and(
        isNull(paymentEvents.outcome),
        lt(paymentEvents.receivedAt, before),
        after && isAfter(after),
      ),
    )
    .orderBy(asc(paymentEvents.receivedAt), asc(paymentEvents.reference))
    .limit(limit);
  return rows.map(toReceipt);
}

/** Open receipts of one order, oldest first. */
export async function listOpenOf(
  { orm }: Database,
  orderId: string,
  limit: number,
): Promise<Receipt[]> {
  const rows = await orm
    .select()
    .from(paymentEvents)
    .where(and(eq(paymentEvents.orderId, orderId), isNull(paymentEvents.outcome)))
    .orderBy(asc(paymentEvents.receivedAt), asc(paymentEvents.reference))
    .limit(limit);
  // MySQL compares this column without regard to case; providers can write anything there.
  return rows.filter((row) => row.orderId === orderId).map(toReceipt);
}

/**
 * Decides an open receipt that is older than `olderMs` and that nothing can help any more: not while
 * a hold can become its order, nor, for a refund, while a payment of its order has not acted yet.
 * False when it was left open.
 */
export async function giveUpReceipt(
  database: Database,
  { orderId, reference, status }: Receipt,
  outcome: ReceiptOutcome,
  olderMs: number,
): Promise<boolean> {
  const id = parseOrderId(orderId);
  const isRefund = status === 'refunded';
  const open = isRefund ? await listOpenOf(database, orderId, OPEN_MAX) : [];
  if (open.some((each) => each.status === 'success')) return false;
  const [{ affectedRows }] = await database.pool.query<ResultSetHeader>(
    'UPDATE payment_events SET outcome = ?, decided_at = UTC_TIMESTAMP(3) WHERE reference = ?' +
      ' AND outcome IS NULL AND received_at < UTC_TIMESTAMP(3) - INTERVAL ? MICROSECOND' +
      " AND (? OR NOT EXISTS (SELECT 1 FROM holds WHERE id = ? AND state IN ('held', 'ordered')))",
    [outcome, reference, olderMs * 1_000, isRefund, id ? holdId(id) : ''],
  );
  return affectedRows === 1;
}
