import { and, asc, eq, gt, isNull, lt, or } from 'drizzle-orm';
import type { PaymentEvent, ReceiptOutcome } from '../domain/outcomes.ts';
import type { ReservationState } from '../domain/reservation.ts';
import { type Database, isDuplicate } from './client.ts';
import { paymentEvents } from './schema.ts';

/** A payment event as MySQL keeps it. Open while `outcome` is null. */
export interface Receipt extends PaymentEvent {
  outcome: ReceiptOutcome | null;
  orderState: ReservationState;
  receivedAt: Date;
}

const toReceipt = (row: typeof paymentEvents.$inferSelect): Receipt => ({
  orderId: row.orderId,
  reference: row.reference,
  status: row.status,
  money:
    row.amountMinor === null || row.currency === null
      ? undefined
      : { amountMinor: row.amountMinor, currency: row.currency },
  payment: row.payment ?? undefined,
  returnsUnits: row.returnsUnits,
  outcome: row.outcome,
  orderState: (row.orderState ?? 'pending') as ReservationState,
  receivedAt: row.receivedAt,
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

/** Stores an event, or returns the receipt that its reference has already. */
export async function insertReceipt(
  database: Database,
  event: PaymentEvent,
  receivedAt: Date,
): Promise<Receipt | undefined> {
  try {
    await database.orm.insert(paymentEvents).values({ ...event, receivedAt });
    return undefined;
  } catch (error) {
    if (!isDuplicate(error)) throw error;
    return readReceipt(database, event.reference);
  }
}

/** Open receipts from before a moment, oldest first, after the one named by `after`. */
export async function listOpenReceipts(
  { orm }: Database,
  before: Date,
  after: Pick<Receipt, 'receivedAt' | 'reference'> | undefined,
  limit: number,
): Promise<Receipt[]> {
  const behind = after
    ? or(
        gt(paymentEvents.receivedAt, after.receivedAt),
        and(
          eq(paymentEvents.receivedAt, after.receivedAt),
          gt(paymentEvents.reference, after.reference),
        ),
      )
    : undefined;
  const rows = await orm
    .select()
    .from(paymentEvents)
    .where(and(isNull(paymentEvents.outcome), lt(paymentEvents.receivedAt, before), behind))
    .orderBy(asc(paymentEvents.receivedAt), asc(paymentEvents.reference))
    .limit(limit);
  return rows.map(toReceipt);
}
