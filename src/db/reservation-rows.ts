import type { PoolConnection, RowDataPacket } from 'mysql2/promise';
import { holdId, orderId, type ReservationId } from '../domain/ids.ts';
import type { Item, ReservationRecord, ReservationState } from '../domain/reservation.ts';
import type { Database } from './client.ts';

// Reservations as all their rows have them, many at a time.

type Connection = Pick<PoolConnection, 'query'>;

/** The newest step that the history knows. */
export interface LastTransition {
  version: number;
  from: string;
  to: ReservationState;
  atMs: number;
  reference: string;
}

/** A reservation's rows. */
export interface ReservationRows {
  id: ReservationId;
  items: Item[];
  hold: { state: string; version: number } | undefined;
  order: { state: ReservationState; version: number; reference: string | null } | undefined;
  /** As the order says, where there is one. Undefined without rows. */
  record: ReservationRecord | undefined;
  /** Undefined where no history is kept. */
  last: LastTransition | undefined;
}

/** What rows say that a reservation is; '' where a hold was ordered and the order is gone. */
export function stateOf({ hold, order }: ReservationRows): { state: string; version: number } {
  if (order) return order;
  const { state = '', version = 0 } = hold ?? {};
  return { state: state === 'ordered' ? '' : state, version };
}

/** Whether rows are not as their own history left them. */
export function isEdited(rows: ReservationRows): boolean {
  const { last } = rows;
  if (!last) return false;
  const { state, version } = stateOf(rows);
  // An older one proves nothing: history may have been switched off since.
  return last.version > version || (last.version === version && last.to !== state);
}

const ms = (time: Date | null): number => time?.getTime() ?? 0;

async function rowsById(
  connection: Connection,
  sql: string,
  ids: readonly string[],
  column: string,
): Promise<Map<string, RowDataPacket[]>> {
  const [rows] = await connection.query<RowDataPacket[]>(sql, [ids]);
  const byId = new Map<string, RowDataPacket[]>();
  for (const row of rows) {
    const known = byId.get(row[column]);
    if (known) known.push(row);
    else byId.set(row[column], [row]);
  }
  return byId;
}

type Row = RowDataPacket | undefined;

function recordOf(hold: Row, order: Row, items: Item[]): ReservationRecord | undefined {
  const row = order ?? hold;
  if (!row) return undefined;
  return {
    state: row.state,
    version: row.version,
    items,
    deadlineMs: ms(order ? order.pay_by : row.expires_at),
    amountMinor: Number(row.amount_minor),
    currency: row.currency,
    buyer: row.buyer,
    counted: Boolean(row.counted),
    ordered: Boolean(order),
    reference: order?.reference ?? '',
  };
}

function lastOf(row: Row): LastTransition | undefined {
  if (!row) return undefined;
  const { version, from_state: from, to_state: to, at, reference } = row;
  return { version, from, to, atMs: ms(at), reference };
}

/** The rows of these reservations; all in one snapshot where `connection` has one. */
export async function readReservationRows(
  connection: Connection,
  ids: readonly ReservationId[],
): Promise<Map<ReservationId, ReservationRows>> {
  const found = new Map<ReservationId, ReservationRows>();
  if (ids.length === 0) return found;
  const holdIds = ids.map(holdId);
  const all = 'SELECT * FROM holds WHERE id IN (?)';
  const holds = await rowsById(connection, all, holdIds, 'id');
  const ofOrders = 'SELECT * FROM orders WHERE id IN (?)';
  const orders = await rowsById(connection, ofOrders, ids.map(orderId), 'id');
  const ofItems = 'SELECT * FROM hold_items WHERE hold_id IN (?) ORDER BY hold_id, product_id';
  const items = await rowsById(connection, ofItems, holdIds, 'hold_id');
  const newest =
    'SELECT t.* FROM transitions t JOIN (SELECT reservation, MAX(version) AS version FROM transitions' +
    ' WHERE reservation IN (?) GROUP BY reservation) newest' +
    ' ON newest.reservation = t.reservation AND newest.version = t.version';
  const lasts = await rowsById(connection, newest, ids, 'reservation');
  for (const id of ids) {
    const hold = holds.get(holdId(id))?.[0];
    const order = orders.get(orderId(id))?.[0];
    const list = (items.get(holdId(id)) ?? []).map(({ product_id: productId, qty }) => {
      return { productId: Number(productId), qty: Number(qty) };
    });
    const rows = { id, items: list, record: recordOf(hold, order, list) };
    const last = lastOf(lasts.get(id)?.[0]);
    found.set(id, {
      ...rows,
      hold: hold && { state: hold.state, version: hold.version },
      order: order && { state: order.state, version: order.version, reference: order.reference },
      last,
    });
  }
  return found;
}

/** Orders of a lane whose holds are gone; at most `limit`. */
export async function listOrphans(
  { pool }: Database,
  lane: number,
  limit: number,
): Promise<ReservationId[]> {
  const [rows] = await pool.query<RowDataPacket[]>(
    'SELECT o.id FROM orders o LEFT JOIN holds h ON h.id = o.hold_id' +
      ' WHERE o.lane = ? AND h.id IS NULL LIMIT ?',
    [lane, limit],
  );
  return rows.map((row) => String(row.id).slice(orderId('').length));
}
