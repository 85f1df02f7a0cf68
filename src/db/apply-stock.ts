import type { PoolConnection, RowDataPacket } from 'mysql2/promise';
import { minus, NO_UNITS, plus, sameCounters } from '../domain/counters.ts';
import type { Counters } from '../domain/product.ts';
import type { FoldedChanges, RowChanges } from './changes.ts';
import { type Audit, auditStock, writeMarks } from './drifts.ts';
import { insert, moment, sorted } from './rows.ts';

type Stock = Map<number, Counters>;

async function lockStock(
  connection: PoolConnection,
  { stock, marks }: FoldedChanges,
): Promise<Stock> {
  const ids = new Set([
    ...stock.keys(),
    ...marks.flatMap(({ event }) => [...event.counters.keys()]),
  ]);
  if (ids.size === 0) return new Map();
  const [rows] = await connection.query<RowDataPacket[]>(
    'SELECT product_id, total, available, held, pending, sold FROM stock WHERE product_id IN (?)' +
      ' ORDER BY product_id FOR UPDATE',
    [[...ids]],
  );
  return new Map(
    rows.map(({ product_id: id, total, available, held, pending, sold }) => [
      Number(id),
      { total, available, held, pending, sold } as Counters,
    ]),
  );
}

/**
 * Moves `stock` by what the transitions say, whatever Redis has; where the two differ, the audit
 * takes note. Marks are compared with it on the way.
 */
export async function applyStock(
  connection: PoolConnection,
  changes: FoldedChanges,
  audit: Audit,
): Promise<void> {
  const before = await lockStock(connection, changes);
  // What no transition tells of was done by the one that could not be read.
  const unreadable = changes.deadLetters.find(({ transition }) => transition.kind === 'unreadable');
  const rows = sorted(changes.stock).map(([productId, change]) => {
    const known = before.get(productId) ?? NO_UNITS;
    const after = change.delta ? plus(known, change.delta) : change.redisAfter;
    if (change.delta) auditStock(audit, productId, change, known, after);
    const untold = minus(minus(after, known), change.told);
    if (!sameCounters(untold, NO_UNITS)) unreadable?.units.push([productId, untold]);
    const { total, available, held, pending, sold } = after;
    const { epoch, sequence } = change;
    return [productId, changes.lane, total, available, held, pending, sold, epoch, sequence];
  });
  await insert(
    connection,
    'INSERT INTO stock (product_id, lane, total, available, held, pending, sold, epoch, sequence)' +
      ' VALUES ? ON DUPLICATE KEY UPDATE total = VALUES(total), available = VALUES(available),' +
      ' held = VALUES(held), pending = VALUES(pending), sold = VALUES(sold),' +
      ' epoch = VALUES(epoch), sequence = VALUES(sequence)',
    rows,
  );
  await writeMarks(connection, audit, changes.marks, before);
}

// The row is there already, unless a twin of the request was refused and took it away meanwhile.
export async function applyAdjustments(
  connection: PoolConnection,
  changes: RowChanges,
): Promise<void> {
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

export async function applyRules(connection: PoolConnection, changes: RowChanges): Promise<void> {
  for (const [productId, version] of sorted(changes.rules)) {
    await connection.query(
      'UPDATE products SET rules_applied = GREATEST(rules_applied, ?) WHERE id = ?',
      [version, productId],
    );
  }
}
