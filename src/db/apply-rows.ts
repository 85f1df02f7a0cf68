import type { PoolConnection } from 'mysql2/promise';
import { holdId, orderId } from '../domain/ids.ts';
import type { OutcomeEvent } from '../domain/journal.ts';
import type { PaymentStatus } from '../domain/outcomes.ts';
import { applyAdjustments, applyRules } from './apply-stock.ts';
import type { RowChanges } from './changes.ts';
import { insert, moment, momentOrNull, type Row, sorted, update } from './rows.ts';

async function applyHolds(connection: PoolConnection, changes: RowChanges): Promise<void> {
  const made = sorted(changes.holdsMade);
  await insert(
    connection,
    'INSERT INTO holds (id, lane, state, version, buyer, counted, amount_minor, currency,' +
      ' idempotency_key, fingerprint, created_at, expires_at, ended_at) VALUES ?',
    made.map(([id, { event, atMs, state, version, endedAtMs, expiresAtMs }]) => [
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
      moment(expiresAtMs ?? event.deadlineMs),
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
    'INSERT INTO holds (id, state, version, ended_at, expires_at) VALUES ?' +
      ' ON DUPLICATE KEY UPDATE state = VALUES(state), version = VALUES(version),' +
      ' ended_at = VALUES(ended_at), expires_at = COALESCE(VALUES(expires_at), expires_at)',
    sorted(changes.holdsChanged).map(([id, { state, version, endedAtMs, expiresAtMs }]) => [
      holdId(id),
      state,
      version,
      momentOrNull(endedAtMs),
      momentOrNull(expiresAtMs),
    ]),
  );
}

async function applyOrders(connection: PoolConnection, changes: RowChanges): Promise<void> {
  await insert(
    connection,
    'INSERT INTO orders (id, hold_id, lane, state, version, buyer, amount_minor, currency,' +
      ' counted, idempotency_key, created_at, pay_by, reference, settled_at, refunded_at) VALUES ?',
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
      momentOrNull(made.refundedAtMs),
    ]),
  );
  await update(
    connection,
    'orders',
    'INSERT INTO orders (id, state, version, counted, reference, settled_at, refunded_at) VALUES ?' +
      ' ON DUPLICATE KEY UPDATE state = VALUES(state), version = VALUES(version),' +
      ' counted = VALUES(counted), reference = VALUES(reference),' +
      ' settled_at = COALESCE(VALUES(settled_at), settled_at),' +
      ' refunded_at = COALESCE(refunded_at, VALUES(refunded_at))',
    sorted(changes.ordersChanged).map(([id, { state, version, counted, reference, ...at }]) => [
      orderId(id),
      state,
      version,
      counted ? 1 : 0,
      reference,
      momentOrNull(at.settledAtMs),
      momentOrNull(at.refundedAtMs),
    ]),
  );
}

// Of a receipt that MySQL has lost: what came of it tells what it said.
function statusOf({ outcome, orderState }: OutcomeEvent): PaymentStatus {
  const isRefund = orderState === 'refunded' || orderState === 'returned';
  if (isRefund && outcome !== 'refund_due') return 'refunded';
  return outcome === 'ignored' || orderState === 'cancelled' ? 'failed' : 'success';
}

// `outcome` is assigned last: the assignments before it still see whether there was one.
async function applyOutcomes(connection: PoolConnection, changes: RowChanges): Promise<void> {
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
      statusOf(event),
      moment(atMs),
      moment(atMs),
      event.orderState,
      event.outcome,
    ]),
  );
}

// A version can come twice: MySQL may have lost the row of the first one and kept this.
async function applyHistory(connection: PoolConnection, { lane, history }: RowChanges) {
  await insert(
    connection,
    'INSERT INTO transitions (reservation, version, lane, epoch, sequence, from_state, to_state, at,' +
      ' reference) VALUES ? ON DUPLICATE KEY UPDATE epoch = VALUES(epoch), sequence = VALUES(sequence),' +
      ' from_state = VALUES(from_state), to_state = VALUES(to_state), at = VALUES(at),' +
      ' reference = VALUES(reference)',
    history.map(({ event, atMs, epoch, sequence }) => [
      event.id,
      event.version,
      lane,
      epoch,
      sequence,
      event.from,
      event.to,
      moment(atMs),
      // The payment that an order is paid by stays; a refund is caused by another.
      event.to === 'refunded' || event.to === 'returned' ? event.key : event.reference,
    ]),
  );
}

/** Writes rows, and the history of reservations where it `keepsHistory`. Counters are not among them. */
export async function applyRows(
  connection: PoolConnection,
  changes: RowChanges,
  keepsHistory: boolean,
): Promise<void> {
  await applyHolds(connection, changes);
  await applyOrders(connection, changes);
  await applyOutcomes(connection, changes);
  await applyAdjustments(connection, changes);
  await applyRules(connection, changes);
  if (keepsHistory) await applyHistory(connection, changes);
}
