import { and, asc, eq, isNull } from 'drizzle-orm';
import type { MySqlTransaction } from 'drizzle-orm/mysql-core';
import {
  holdId,
  laneOf,
  orderId,
  parseHoldId,
  parseOrderId,
  type ReservationId,
} from '../domain/ids.ts';
import type { Database } from './client.ts';
import { holdItems, holds, orders, paymentEvents, products } from './schema.ts';
import { deadLetters, transitions } from './schema-books.ts';

/** Receipts and dead letters that are read of one reservation, the oldest ones. */
const LISTED_MAX = 1_000;

/** A step of a reservation. */
export interface HistoryStep {
  version: number;
  from: string;
  to: string;
  at: Date;
  /** Of the journal entry; null for what a rebuild decided by itself. */
  position: string | null;
  /** For people. */
  cause: string;
  /** Of the payment event that caused it. */
  reference: string | null;
}

export interface HistoryItem {
  productId: number;
  /** Null when the product has no row any more. */
  name: string | null;
  qty: number;
  priceMinor: number;
}

/** A transition of the reservation that waits, since no row took it. */
export interface HistoryLetter {
  position: string;
  ordinal: number;
  kind: string;
  error: string;
  at: Date;
}

/** Everything that MySQL knows of one reservation, at one moment. */
export interface History {
  /** Null for the payment of an order whose id is none. */
  id: ReservationId | null;
  hold: typeof holds.$inferSelect | null;
  order: typeof orders.$inferSelect | null;
  items: HistoryItem[];
  /** By version. */
  steps: HistoryStep[];
  /** Steps that there were, of which `steps` has those that were kept. */
  stepCount: number;
  /** In the order in which they came. */
  receipts: (typeof paymentEvents.$inferSelect)[];
  letters: HistoryLetter[];
}

// biome-ignore lint/suspicious/noExplicitAny: the schema type that drizzle itself has by default.
type Snapshot = Pick<MySqlTransaction<any, any, any, any>, 'select'>;

function causeOf({
  fromState,
  toState,
  reference,
  sequence,
}: typeof transitions.$inferSelect): string {
  switch (toState) {
    case 'held':
      return fromState === 'held' ? 'extended on request' : 'hold request';
    case 'pending':
      return 'order request';
    case 'released':
      return 'released on request';
    case 'expired':
      return sequence < 0 ? 'rebuild' : 'deadline passed';
    case 'cancelled':
      return reference === '' ? 'cancelled on request' : `payment ${reference} failed`;
    case 'refunded':
      return `refund ${reference}`;
    case 'returned':
      return fromState === 'refund_due' ? `refund ${reference}` : `refund ${reference}, units back`;
    default:
      return `payment ${reference}`;
  }
}

async function readSteps(snapshot: Snapshot, id: ReservationId): Promise<HistoryStep[]> {
  const rows = await snapshot
    .select()
    .from(transitions)
    .where(eq(transitions.reservation, id))
    .orderBy(asc(transitions.version));
  return rows.map((row) => ({
    version: row.version,
    from: row.fromState,
    to: row.toState,
    at: row.at,
    position: row.sequence < 0 ? null : `${row.epoch}-${row.sequence}`,
    cause: causeOf(row),
    reference: row.reference || null,
  }));
}

async function readReceipts(snapshot: Snapshot, id: ReservationId) {
  const rows = await snapshot
    .select()
    .from(paymentEvents)
    .where(eq(paymentEvents.orderId, orderId(id)))
    .orderBy(asc(paymentEvents.receivedAt), asc(paymentEvents.reference))
    .limit(LISTED_MAX);
  // MySQL compares this column without regard to case; providers can write anything there.
  return rows.filter((row) => row.orderId === orderId(id));
}

async function readLetters(snapshot: Snapshot, id: ReservationId): Promise<HistoryLetter[]> {
  const { lane, epoch, sequence, ordinal, kind, error, at, reservation, replayedAt } = deadLetters;
  const rows = await snapshot
    .select({ epoch, sequence, ordinal, kind, error, at })
    .from(deadLetters)
    // The lane leads to the index of what is open.
    .where(and(eq(lane, laneOf(id)), isNull(replayedAt), eq(reservation, id)))
    .orderBy(asc(epoch), asc(sequence), asc(ordinal))
    .limit(LISTED_MAX);
  return rows.map((row) => ({ ...row, position: `${row.epoch}-${row.sequence}` }));
}

async function readReservation(
  snapshot: Snapshot,
  id: ReservationId,
): Promise<History | undefined> {
  const [hold = null] = await snapshot
    .select()
    .from(holds)
    .where(eq(holds.id, holdId(id)));
  const [order = null] = await snapshot
    .select()
    .from(orders)
    .where(eq(orders.id, orderId(id)));
  const { productId, qty, priceMinor } = holdItems;
  const items = await snapshot
    .select({ productId, name: products.name, qty, priceMinor })
    .from(holdItems)
    .leftJoin(products, eq(products.id, productId))
    .where(eq(holdItems.holdId, holdId(id)))
    .orderBy(asc(productId));
  const steps = await readSteps(snapshot, id);
  const receipts = await readReceipts(snapshot, id);
  const letters = await readLetters(snapshot, id);
  const isKnown = hold ?? order ?? steps[0] ?? receipts[0] ?? letters[0];
  if (!isKnown) return undefined;
  // Versions are counted from 1.
  const stepCount = Math.max(hold?.version ?? 0, order?.version ?? 0, steps.at(-1)?.version ?? 0);
  return { id, hold, order, items, steps, stepCount, receipts, letters };
}

async function readPayment(snapshot: Snapshot, reference: string): Promise<History | undefined> {
  // Another text would be no ASCII to MySQL, which refuses to compare it.
  if (!/^[\x21-\x7e]{1,128}$/.test(reference)) return undefined;
  const [receipt] = await snapshot
    .select()
    .from(paymentEvents)
    .where(eq(paymentEvents.reference, reference));
  if (!receipt) return undefined;
  const id = parseOrderId(receipt.orderId);
  const history = id && (await readReservation(snapshot, id));
  if (history) return history;
  const [receipts, none] = [[receipt], { items: [], steps: [], stepCount: 0, letters: [] }];
  return { id: null, hold: null, order: null, receipts, ...none };
}

/**
 * What MySQL knows of a hold, an order or a payment, named by its id or its reference; undefined
 * when nothing. All of it is of one moment. What is not committed yet is not in it.
 */
export function readHistory({ orm }: Database, text: string): Promise<History | undefined> {
  return orm.transaction(
    async (snapshot) => {
      const id = parseHoldId(text) ?? parseOrderId(text);
      return (id && (await readReservation(snapshot, id))) || readPayment(snapshot, text);
    },
    { isolationLevel: 'repeatable read', accessMode: 'read only' },
  );
}
