import type { PoolConnection, ResultSetHeader } from 'mysql2/promise';
import { createdAtOf, holdId, orderId, type ReservationId } from '../domain/ids.ts';
import type { ReservationRecord } from '../domain/reservation.ts';
import type { LastTransition, ReservationRows } from './reservation-rows.ts';
import { isPoison, moment, momentOrNull } from './rows.ts';

// Rows that were lost or changed behind the writer's back, written again as other accounts have them.

type Connection = Pick<PoolConnection, 'query'>;

async function isWritten(writing: Promise<unknown>): Promise<boolean> {
  try {
    const [{ affectedRows }] = (await writing) as [ResultSetHeader];
    return affectedRows > 0;
  } catch (error) {
    // Somebody has written it meanwhile.
    if (isPoison(error)) return false;
    throw error;
  }
}

/** Writes those items of a live reservation that have no row. False when all of them have. */
export async function restoreItems(
  connection: Connection,
  id: ReservationId,
  { items, amountMinor }: ReservationRecord,
): Promise<boolean> {
  const only = items.length === 1 ? items[0] : undefined;
  let isNew = false;
  for (const { productId, qty } of items) {
    const price = only ? Math.round(amountMinor / only.qty) : null;
    const writing = connection.query(
      'INSERT IGNORE INTO hold_items (hold_id, product_id, qty, price_minor)' +
        ' VALUES (?, ?, ?, COALESCE(?, (SELECT price_minor FROM products WHERE id = ?), 0))',
      [holdId(id), productId, qty, price, productId],
    );
    if (await isWritten(writing)) isNew = true;
  }
  return isNew;
}

/**
 * Writes the hold, and the order, of a live reservation that only Redis knows any more. Prices are
 * those of now where they cannot be told from the amount. False when there is such a row already.
 */
export async function restoreRows(
  connection: Connection,
  lane: number,
  id: ReservationId,
  record: ReservationRecord,
): Promise<boolean> {
  const { state, version, amountMinor, currency, buyer, counted, deadlineMs } = record;
  const isOrder = state === 'pending';
  const isNew = await isWritten(
    connection.query(
      'INSERT INTO holds (id, lane, state, version, buyer, counted, amount_minor, currency, created_at,' +
        ' expires_at, ended_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, UTC_TIMESTAMP(3), ?,' +
        ' IF(?, UTC_TIMESTAMP(3), NULL))',
      [
        ...[holdId(id), lane, isOrder ? 'ordered' : 'held', version, buyer],
        ...[counted, amountMinor, currency, moment(deadlineMs), isOrder],
      ],
    ),
  );
  await restoreItems(connection, id, record);
  if (!isOrder) return isNew;
  const isNewOrder = await isWritten(
    connection.query(
      'INSERT INTO orders (id, hold_id, lane, state, version, buyer, amount_minor, currency, counted,' +
        " created_at, pay_by) VALUES (?, ?, ?, 'pending', ?, ?, ?, ?, ?, UTC_TIMESTAMP(3), ?)",
      [
        ...[orderId(id), holdId(id), lane, version, buyer, amountMinor, currency, counted],
        moment(deadlineMs),
      ],
    ),
  );
  return isNew || isNewOrder;
}

/** Writes the hold of an order again. False when there is such a row already. */
export function restoreHold(connection: Connection, id: ReservationId): Promise<boolean> {
  return isWritten(
    connection.query(
      'INSERT INTO holds (id, lane, state, version, buyer, counted, amount_minor, currency, created_at,' +
        " expires_at, ended_at) SELECT ?, lane, 'ordered', COALESCE((SELECT MIN(version) FROM" +
        " transitions WHERE reservation = ? AND to_state = 'pending'), 2), buyer, counted," +
        ' amount_minor, currency, ?, created_at, created_at FROM orders WHERE id = ?',
      [holdId(id), id, moment(createdAtOf(id)), orderId(id)],
    ),
  );
}

/**
 * Gives rows the state that their own history says they were left in; an order that is gone is made
 * again, payable until `payByMs`, and a hold is held until `expiresAtMs`, where that is known. False
 * when they moved on.
 */
export async function restoreState(
  connection: Connection,
  { id, hold, order }: ReservationRows,
  { version, from, to, atMs, reference }: LastTransition,
  { payByMs, expiresAtMs }: { payByMs: number; expiresAtMs: number | null },
): Promise<boolean> {
  const at = moment(atMs);
  if (from === 'none' || from === 'held') {
    const state = to === 'pending' ? 'ordered' : to;
    const ended = to === 'held' ? null : at;
    const isDone = await isWritten(
      connection.query(
        'UPDATE holds SET state = ?, version = ?, ended_at = ?, expires_at = COALESCE(?, expires_at)' +
          ' WHERE id = ? AND state = ? AND version = ?',
        [state, version, ended, momentOrNull(expiresAtMs), holdId(id), hold?.state, hold?.version],
      ),
    );
    if (to !== 'pending') return isDone;
  } else {
    // It was ordered before, whatever its hold says now.
    await connection.query("UPDATE holds SET state = 'ordered' WHERE id = ?", [holdId(id)]);
  }
  const isRefund = to === 'refunded' || to === 'returned';
  const settled = to === 'pending' || isRefund ? null : at;
  const refunded = isRefund ? at : null;
  // Of a refund, the history names the refund, and the order the payment that it was paid by.
  const settledBy = (isRefund ? order?.reference : reference) || null;
  if (order) {
    const sql =
      'UPDATE orders SET state = ?, version = ?, reference = ?, refunded_at = ?, settled_at =' +
      ' IF(?, settled_at, ?) WHERE id = ? AND state = ? AND version = ?';
    const values = [to, version, settledBy, refunded, isRefund, settled, orderId(id)];
    return isWritten(connection.query(sql, [...values, order.state, order.version]));
  }
  return isWritten(
    connection.query(
      'INSERT INTO orders (id, hold_id, lane, state, version, buyer, amount_minor, currency, counted,' +
        ' reference, created_at, pay_by, settled_at, refunded_at) SELECT ?, id, lane, ?, ?, buyer,' +
        ' amount_minor, currency, counted, ?, COALESCE(ended_at, ?), ?, ?, ? FROM holds WHERE id = ?',
      [
        ...[orderId(id), to, version, settledBy, at, moment(payByMs), settled, refunded],
        holdId(id),
      ],
    ),
  );
}
