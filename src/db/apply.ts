import type { PoolConnection, ResultSetHeader, RowDataPacket } from 'mysql2/promise';
import { holdId, orderId } from '../domain/ids.ts';
import { COUNTER_NAMES } from '../domain/product.ts';
import type { FoldedChanges, StockChange, Watermark } from './changes.ts';
import { type Database, transaction } from './client.ts';

// Rows are written by mysql2 itself: building a thousand-row insert through the query builder
// takes the writer longer than MySQL needs to run it.

const TRANSACTION_LIMIT_MS = 10_000;

type Row = (string | number | null)[];

/** `2026-01-02 03:04:05.678`, in UTC. */
const moment = (ms: number): string => new Date(ms).toISOString().replace('T', ' ').slice(0, -1);
const momentOrNull = (ms: number | null): string | null => (ms === null ? null : moment(ms));

// Rows sorted by primary key lock in one order, so that two drains wait instead of deadlocking.
const sorted = <K extends string | number, V>(map: Map<K, V>): [K, V][] =>
  [...map].sort(([a], [b]) => (a < b ? -1 : 1));

/** Rows do not say what the journal says they must: nothing of the batch was written. */
export class RowsDisagree extends Error {
  override readonly name = 'RowsDisagree';
}

async function insert(connection: PoolConnection, sql: string, rows: Row[]): Promise<void> {
  if (rows.length > 0) await connection.query(sql, [rows]);
}

// An upsert that may only update: MySQL counts 2 for a changed row and 1 for a new one.
async function update(connection: PoolConnection, table: string, sql: string, rows: Row[]) {
  if (rows.length === 0) return;
  const [result] = await connection.query<ResultSetHeader>(sql, [rows]);
  if (result.affectedRows !== 2 * rows.length) {
    throw new RowsDisagree(
      `${table}: of ${rows.length} rows that the journal changes, some are missing or were changed before`,
    );
  }
}

async function applyHolds(connection: PoolConnection, changes: FoldedChanges): Promise<void> {
  const made = sorted(changes.holdsMade);
  await insert(
    connection,
    'INSERT INTO holds (id, lane, state, version, buyer, counted, amount_minor, currency,' +
      ' idempotency_key, fingerprint, created_at, expires_at, ended_at) VALUES ?',
    made.map(([id, { event, atMs, state, version, endedAtMs }]) => [
      holdId(id),
      changes.lane,
      state,
      version,
      event.buyer,
      event.counted ? 1 : 0,
      event.amountMinor,
      event.currency,
      event.key,
      event.fingerprint,
      moment(atMs),
      moment(event.deadlineMs),
      momentOrNull(endedAtMs),
    ]),
  );
  await insert(
    connection,
    'INSERT INTO hold_items (hold_id, product_id, qty, price_minor) VALUES ?',
    made.flatMap(([id, { event }]) =>
      event.items.map(({ productId, qty }, index): Row => {
        return [holdId(id), productId, qty, event.pricesMinor[index] ?? 0];
      }),
    ),
  );
  await update(
    connection,
    'holds',
    'INSERT INTO holds (id, state, version, ended_at) VALUES ? ON DUPLICATE KEY UPDATE' +
      ' state = VALUES(state), version = VALUES(version), ended_at = VALUES(ended_at)',
    sorted(changes.holdsChanged).map(([id, { state, version, endedAtMs }]) => [
      holdId(id),
      state,
      version,
      momentOrNull(endedAtMs),
    ]),
  );
}

async function applyOrders(connection: PoolConnection, changes: FoldedChanges): Promise<void> {
  await insert(
    connection,
    'INSERT INTO orders (id, hold_id, lane, state, version, buyer, amount_minor, currency,' +
      ' counted, idempotency_key, created_at, pay_by, reference, settled_at) VALUES ?',
    sorted(changes.ordersMade).map(([id, { event, atMs, state, version, ...made }]) => [
      orderId(id),
      holdId(id),
      changes.lane,
      state,
      version,
      event.buyer,
      event.amountMinor,
      event.currency,
      made.counted ? 1 : 0,
      event.key,
      moment(atMs),
      moment(event.deadlineMs),
      made.reference,
      momentOrNull(made.settledAtMs),
    ]),
  );
  await update(
    connection,
    'orders',
    'INSERT INTO orders (id, state, version, counted, reference, settled_at) VALUES ?' +
      ' ON DUPLICATE KEY UPDATE state = VALUES(state), version = VALUES(version),' +
      ' counted = VALUES(counted), reference = VALUES(reference), settled_at = VALUES(settled_at)',
    sorted(changes.ordersChanged).map(
      ([id, { state, version, counted, reference, settledAtMs }]) => [
        orderId(id),
        state,
        version,
        counted ? 1 : 0,
        reference,
        momentOrNull(settledAtMs),
      ],
    ),
  );
}

// `outcome` is assigned last: the assignments before it still see whether there was one.
async function applyOutcomes(connection: PoolConnection, changes: FoldedChanges): Promise<void> {
  await insert(
    connection,
    'INSERT INTO payment_events (reference, order_id, status, received_at, decided_at,' +
      ' order_state, outcome) VALUES ? ON DUPLICATE KEY UPDATE' +
      ' decided_at = IF(outcome IS NULL, VALUES(decided_at), decided_at),' +
      ' order_state = IF(outcome IS NULL, VALUES(order_state), order_state),' +
      ' outcome = IF(outcome IS NULL, VALUES(outcome), outcome)',
    sorted(changes.outcomes).map(([reference, { event, atMs }]) => [
      reference,
      orderId(event.id),
      'success',
      moment(atMs),
      moment(atMs),
      event.orderState,
      event.outcome,
    ]),
  );
}

async function applyStock(connection: PoolConnection, changes: FoldedChanges): Promise<void> {
  const rows = sorted(changes.stock);
  if (rows.length === 0) return;
  const [known] = await connection.query<RowDataPacket[]>(
    'SELECT product_id, total, available, held, pending, sold FROM stock WHERE product_id IN (?)' +
      ' ORDER BY product_id FOR UPDATE',
    [rows.map(([productId]) => productId)],
  );
  const knownById = new Map(known.map((row) => [Number(row.product_id), row]));
  for (const [productId, { before }] of rows) {
    const row = knownById.get(productId);
    const says = (counter: keyof StockChange['before']) => Number(row?.[counter] ?? 0);
    const wrong = COUNTER_NAMES.find((counter) => says(counter) !== before[counter]);
    if (wrong) {
      throw new RowsDisagree(
        `stock of product ${productId}: ${wrong} is ${says(wrong)} in MySQL, and the journal goes on` +
          ` from ${before[wrong]}`,
      );
    }
  }
  await insert(
    connection,
    'INSERT INTO stock (product_id, lane, total, available, held, pending, sold, epoch, sequence)' +
      ' VALUES ? ON DUPLICATE KEY UPDATE total = VALUES(total), available = VALUES(available),' +
      ' held = VALUES(held), pending = VALUES(pending), sold = VALUES(sold),' +
      ' epoch = VALUES(epoch), sequence = VALUES(sequence)',
    rows.map(([productId, { after, epoch, sequence }]) => [
      productId,
      changes.lane,
      after.total,
      after.available,
      after.held,
      after.pending,
      after.sold,
      epoch,
      sequence,
    ]),
  );
}

// The row is there already, unless a twin of the request was refused and took it away meanwhile.
async function applyAdjustments(connection: PoolConnection, changes: FoldedChanges): Promise<void> {
  await insert(
    connection,
    'INSERT INTO stock_adjustments (product_id, `key`, delta, created_at, epoch, sequence)' +
      ' VALUES ? ON DUPLICATE KEY UPDATE delta = VALUES(delta), epoch = VALUES(epoch),' +
      ' sequence = VALUES(sequence)',
    changes.adjustments.map(({ event, atMs, epoch, sequence }) => [
      event.productId,
      event.key,
      event.delta,
      moment(atMs),
      epoch,
      sequence,
    ]),
  );
}

/**
 * Commits a run of journal entries and the watermark behind it, all or nothing. `moved` means that
 * another writer has gone on from `from` already, and nothing was written.
 */
export function applyChanges(
  database: Database,
  changes: FoldedChanges,
  from: Watermark,
  to: Watermark & { eventAtMs: number },
): Promise<'committed' | 'moved'> {
  return transaction(database, TRANSACTION_LIMIT_MS, async (connection) => {
    const [rows] = await connection.query<RowDataPacket[]>(
      'SELECT epoch, sequence, `call` FROM lanes WHERE lane = ? FOR UPDATE',
      [changes.lane],
    );
    const row = rows[0];
    const unmoved =
      row &&
      Number(row.epoch) === from.epoch &&
      Number(row.sequence) === from.sequence &&
      row.call === from.call;
    if (!unmoved) return 'moved';
    await applyHolds(connection, changes);
    await applyOrders(connection, changes);
    await applyOutcomes(connection, changes);
    await applyStock(connection, changes);
    await applyAdjustments(connection, changes);
    await connection.query(
      'UPDATE lanes SET epoch = ?, sequence = ?, `call` = ?, emitted = ?, event_at = ? WHERE lane = ?',
      [to.epoch, to.sequence, to.call, to.emitted, moment(to.eventAtMs), changes.lane],
    );
    return 'committed';
  });
}
