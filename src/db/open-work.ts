import type { RowDataPacket } from 'mysql2/promise';
import type { PaymentEvent } from '../domain/outcomes.ts';
import type { Database } from './client.ts';

// Work that processes left half done, and payments that their orders contradict.

const AT_MOST = 1_000;

type Row = RowDataPacket;

const eventOf = (row: Row): PaymentEvent => ({
  orderId: row.order_id,
  reference: row.reference,
  status: row.status,
  money:
    row.amount_minor === null
      ? undefined
      : { amountMinor: Number(row.amount_minor), currency: row.currency },
  payment: row.payment ?? undefined,
  returnsUnits: Boolean(row.returns_units),
});

const EVENT =
  'e.reference, e.order_id, e.status, e.amount_minor, e.currency, e.payment, e.returns_units';

/**
 * Receipts without an outcome from before a moment whose order is there; not refunds that wait for
 * the payment they give back.
 */
export async function listForgottenReceipts(
  { pool }: Database,
  before: Date,
): Promise<PaymentEvent[]> {
  const [rows] = await pool.query<Row[]>(
    `SELECT ${EVENT} FROM payment_events e JOIN orders o ON o.id = CONVERT(e.order_id USING ascii)` +
      " WHERE e.outcome IS NULL AND (e.status <> 'refunded' OR (o.state IN ('paid', 'refund_due')" +
      ' AND e.payment IS NULL)) AND e.received_at < ? ORDER BY e.received_at LIMIT ?',
    [before, AT_MOST],
  );
  return rows.map(eventOf);
}

/** A payment that was taken, and an order that does not say so. */
export interface Contradiction extends PaymentEvent {
  /** undefined when there is no such order any more. */
  state: string | undefined;
  lane: number | null;
}

/** Receipts that made their order paid, and orders that are not. */
export async function listContradictedReceipts({ pool }: Database): Promise<Contradiction[]> {
  const [rows] = await pool.query<Row[]>(
    `SELECT ${EVENT}, o.state, o.lane FROM payment_events e` +
      ' LEFT JOIN orders o ON o.id = CONVERT(e.order_id USING ascii)' +
      " WHERE e.outcome = 'applied' AND e.status = 'success'" +
      " AND (o.id IS NULL OR o.state NOT IN ('paid', 'refunded', 'returned')) LIMIT ?",
    [AT_MOST],
  );
  return rows.map((row) => ({
    ...eventOf(row),
    state: row.state ?? undefined,
    lane: row.lane ?? null,
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
