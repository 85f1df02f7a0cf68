import { and, asc, eq, gt, inArray, isNull, or, sql } from 'drizzle-orm';
import type { ResultSetHeader } from 'mysql2/promise';
import type { Money } from '../domain/outcomes.ts';
import type { Database } from './client.ts';
import { IS_ORDER, type Receipt, toReceipt } from './receipts.ts';
import { orders, paymentEvents } from './schema.ts';

// Money that was taken and must go back: successes without anything to sell, second payments of one
// order, and payments of another amount.

const IS_DUE = and(
  inArray(paymentEvents.outcome, ['refund_due', 'amount_mismatch']),
  eq(paymentEvents.status, 'success'),
  // Nothing cannot go back.
  or(isNull(paymentEvents.amountMinor), gt(paymentEvents.amountMinor, 0)),
);
const IS_OPEN = and(IS_DUE, isNull(paymentEvents.refundedBy));

/** Money that waits to go back. */
export interface RefundDue {
  orderId: string;
  /** Of the payment event. */
  reference: string;
  payment: string | null;
  reason: 'refund_due' | 'amount_mismatch';
  /** What was paid: as the event says, else the order's amount; null where nobody knows. */
  money: Money | null;
  buyer: string;
  receivedAtMs: number;
}

/** Where a list of refunds goes on. */
export interface RefundPlace {
  receivedAtMs: number;
  reference: string;
}

type Order = typeof orders.$inferSelect;

const priceOf = (order: Order | null): Money | undefined =>
  order ? { amountMinor: order.amountMinor, currency: order.currency } : undefined;

/** Refunds that are due, the oldest first. */
export async function listRefundsDue(
  { orm }: Database,
  after: RefundPlace | undefined,
  limit: number,
): Promise<RefundDue[]> {
  const { receivedAt, reference } = paymentEvents;
  const at = after && new Date(after.receivedAtMs);
  const isLater =
    after && at && or(gt(receivedAt, at), and(eq(receivedAt, at), gt(reference, after.reference)));
  const rows = await orm
    .select({ event: paymentEvents, order: orders })
    .from(paymentEvents)
    .leftJoin(orders, IS_ORDER)
    .where(and(IS_OPEN, isLater))
    .orderBy(asc(receivedAt), asc(reference))
    .limit(limit);
  return rows.map(({ event, order }) => {
    return {
      orderId: event.orderId,
      reference: event.reference,
      payment: event.payment,
      reason: event.outcome as RefundDue['reason'],
      money: toReceipt(event).money ?? priceOf(order) ?? null,
      buyer: order?.buyer ?? '',
      receivedAtMs: event.receivedAt.getTime(),
    };
  });
}

/** What a refund can give back. */
export interface Refundable extends Receipt {
  /** Whether there was nothing to sell for it. */
  isDue: boolean;
}

/** Successful payments of an order, the oldest first; of its amount, unless they tell another. */
export async function listPaymentsOf({ orm }: Database, orderId: string): Promise<Refundable[]> {
  const rows = await orm
    .select({ event: paymentEvents, order: orders })
    .from(paymentEvents)
    .leftJoin(orders, IS_ORDER)
    .where(and(eq(paymentEvents.orderId, orderId), eq(paymentEvents.status, 'success')))
    .orderBy(asc(paymentEvents.receivedAt), asc(paymentEvents.reference));
  return rows
    .filter(({ event }) => event.orderId === orderId)
    .map(({ event, order }) => ({
      ...toReceipt(event),
      money: toReceipt(event).money ?? priceOf(order),
      isDue:
        event.amountMinor !== 0 &&
        (event.outcome === 'refund_due' || event.outcome === 'amount_mismatch'),
    }));
}

/**
 * Notes that a refund gives this payment back; false when another one does, or the refund has been
 * decided meanwhile.
 */
export async function claimRefund(
  { pool }: Database,
  reference: string,
  refund: string,
): Promise<boolean> {
  const [{ affectedRows }] = await pool.query<ResultSetHeader>(
    'UPDATE payment_events paid JOIN payment_events refund ON refund.reference = ?' +
      ' SET paid.refunded_by = refund.reference, paid.refunded_at = UTC_TIMESTAMP(3)' +
      ' WHERE paid.reference = ? AND paid.refunded_by IS NULL AND refund.outcome IS NULL',
    [refund, reference],
  );
  return affectedRows === 1;
}

/** How many refunds are due. */
export async function countRefundsDue({ orm }: Database): Promise<number> {
  const [row] = await orm
    .select({ value: sql<number>`COUNT(*)` })
    .from(paymentEvents)
    .where(IS_OPEN);
  return Number(row?.value ?? 0);
}
