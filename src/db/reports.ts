import { count, eq, isNull, sql } from 'drizzle-orm';
import { holdId, orderId, type ReservationId } from '../domain/ids.ts';
import type { Order } from '../domain/outcomes.ts';
import type { Item, ReservationRecord } from '../domain/reservation.ts';
import type { Database } from './client.ts';
import { countRefundsDue } from './refunds.ts';
import { holdItems, holds, lanes, orders, paymentEvents } from './schema.ts';

/** What MySQL says of a reservation, and the watermark at which it says so. */
export interface ReservationFacts {
  epoch: number;
  sequence: number;
  /** Undefined when there is no such row. */
  record: ReservationRecord | undefined;
  /** Whether the rows are behind: what happened since waits as a dead letter. */
  isBehind: boolean;
  /** Until when the hold was held, whatever became of it. */
  holdExpiresAtMs: number;
}

const isBehind = (id: ReservationId) =>
  sql<number>`${lanes.deadLetters} > 0 AND EXISTS (SELECT 1 FROM dead_letters d WHERE
    d.lane = ${lanes.lane} AND d.reservation = ${id} AND d.replayed_at IS NULL)`;

/** One statement, hence one snapshot: the row and the watermark belong together. */
export async function readFacts(
  { orm }: Database,
  lane: number,
  id: ReservationId,
): Promise<ReservationFacts | undefined> {
  const rows = await orm
    .select({ lane: lanes, hold: holds, order: orders, item: holdItems, isBehind: isBehind(id) })
    .from(lanes)
    .leftJoin(holds, eq(holds.id, holdId(id)))
    .leftJoin(orders, eq(orders.id, orderId(id)))
    .leftJoin(holdItems, eq(holdItems.holdId, holdId(id)))
    .where(eq(lanes.lane, lane))
    .orderBy(holdItems.productId);
  const first = rows[0];
  if (!first) return undefined;
  const { hold, order } = first;
  const { epoch, sequence } = first.lane;
  const at = { epoch, sequence, isBehind: Boolean(first.isBehind) };
  if (!hold) return { ...at, record: undefined, holdExpiresAtMs: 0 };
  const items = rows.flatMap(({ item }): Item[] =>
    item ? [{ productId: item.productId, qty: item.qty }] : [],
  );
  const holdExpiresAtMs = hold.expiresAt?.getTime() ?? 0;
  const record: ReservationRecord = {
    // `ordered` rows have an order, which knows better.
    state: order ? order.state : (hold.state as Exclude<typeof hold.state, 'ordered'>),
    version: order ? order.version : hold.version,
    items,
    deadlineMs: order?.payBy?.getTime() ?? holdExpiresAtMs,
    amountMinor: hold.amountMinor,
    currency: hold.currency,
    buyer: hold.buyer,
    counted: order ? order.counted : hold.counted,
    ordered: order !== null,
    reference: order?.reference ?? '',
  };
  return { ...at, record, holdExpiresAtMs };
}

/** An order as MySQL has it. */
export async function readOrderRow(
  { orm }: Database,
  id: ReservationId,
): Promise<Order | undefined> {
  const rows = await orm
    .select({ order: orders, item: holdItems })
    .from(orders)
    .leftJoin(holdItems, eq(holdItems.holdId, orders.holdId))
    .where(eq(orders.id, orderId(id)))
    .orderBy(holdItems.productId);
  const order = rows[0]?.order;
  if (!order) return undefined;
  return {
    id,
    state: order.state,
    items: rows.flatMap(({ item }): Item[] =>
      item ? [{ productId: item.productId, qty: item.qty }] : [],
    ),
    amountMinor: order.amountMinor,
    currency: order.currency,
    createdAtMs: order.createdAt?.getTime() ?? 0,
    payByMs: order.payBy?.getTime() ?? 0,
    reference: order.reference,
    settledAtMs: order.settledAt?.getTime() ?? null,
    refundedAtMs: order.refundedAt?.getTime() ?? null,
  };
}

/** Work that waits for people: refunds to make, receipts whose order is not known yet. */
export async function countReceipts(database: Database): Promise<{
  refundsDue: number;
  open: number;
}> {
  const [open] = await database.orm
    .select({ value: count() })
    .from(paymentEvents)
    .where(isNull(paymentEvents.outcome));
  return { refundsDue: await countRefundsDue(database), open: open?.value ?? 0 };
}
