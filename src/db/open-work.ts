import { and, asc, eq, inArray, isNull, lt, ne, notInArray, or } from 'drizzle-orm';
import type { RowDataPacket } from 'mysql2/promise';
import type { PaymentEvent } from '../domain/outcomes.ts';
import type { Database } from './client.ts';
import { IS_ORDER, toReceipt } from './receipts.ts';
import { orders, paymentEvents } from './schema.ts';

// Work that processes left half done, and payments that their orders contradict.

const AT_MOST = 1_000;

type Row = RowDataPacket;

/**
 * Receipts without an outcome from before a moment whose order is there; not refunds that wait for
 * the payment they give back.
 */
export async function listForgottenReceipts(
  { orm }: Database,
  before: Date,
): Promise<PaymentEvent[]> {
  const { outcome, status, payment, receivedAt } = paymentEvents;
  const canBeRefunded = and(inArray(orders.state, ['paid', 'refund_due']), isNull(payment));
  const rows = await orm
    .select({ event: paymentEvents })
    .from(paymentEvents)
    .innerJoin(orders, IS_ORDER)
    .where(and(isNull(outcome), or(ne(status, 'refunded'), canBeRefunded), lt(receivedAt, before)))
    .orderBy(asc(receivedAt))
    .limit(AT_MOST);
  return rows.map(({ event }) => toReceipt(event));
}

/** A payment that was taken, and an order that does not say so. */
export interface Contradiction extends PaymentEvent {
  /** undefined when there is no such order any more. */
  state: string | undefined;
  lane: number | null;
}

/** Receipts that made their order paid, and orders that are not. */
export async function listContradictedReceipts({ orm }: Database): Promise<Contradiction[]> {
  const { outcome, status } = paymentEvents;
  const isOther = notInArray(orders.state, ['paid', 'refunded', 'returned']);
  const rows = await orm
    .select({ event: paymentEvents, state: orders.state, lane: orders.lane })
    .from(paymentEvents)
    .leftJoin(orders, IS_ORDER)
    .where(and(eq(outcome, 'applied'), eq(status, 'success'), or(isNull(orders.id), isOther)))
    .limit(AT_MOST);
  return rows.map(({ event, state, lane }) => ({
    ...toReceipt(event),
    state: state ?? undefined,
    lane,
  }));
}

/** Adjustments from before a moment that the journal never told of. */
export async function listForgottenAdjustments(
  { pool }: Database,
  before: Date,
): Promise<{ productId: number; lane: number; key: string; delta: number }[]> {
  const [rows] = await pool.query<Row[]>(
    'SELECT a.product_id, p.lane, a.`key`, a.delta FROM stock_adjustments a' +
      ' JOIN products p ON p.id = a.product_id' +
      ' WHERE a.epoch IS NULL AND a.created_at < ? ORDER BY a.created_at LIMIT ?',
    [before, AT_MOST],
  );
  return rows.map(({ product_id: id, lane, key, delta }) => {
    return { productId: Number(id), lane: Number(lane), key, delta: Number(delta) };
  });
}

/** Reservations with dead letters, and how many each has. */
export async function listWaiting(
  { pool }: Database,
  lane: number,
): Promise<{ reservation: string; letters: number; error: string }[]> {
  const [rows] = await pool.query<Row[]>(
    'SELECT reservation, COUNT(*) AS letters, MIN(error) AS error FROM dead_letters' +
      ' WHERE lane = ? AND replayed_at IS NULL GROUP BY reservation LIMIT ?',
    [lane, AT_MOST],
  );
  return rows.map((row) => ({
    reservation: row.reservation,
    letters: Number(row.letters),
    error: row.error,
  }));
}
