import type { PoolConnection, RowDataPacket } from 'mysql2/promise';
import { COUNTER_NAMES } from '../domain/product.ts';
import type { FoldedChanges, StockChange } from './changes.ts';
import { insert, moment, RowsDisagree, sorted } from './rows.ts';

export async function applyStock(
  connection: PoolConnection,
  changes: FoldedChanges,
): Promise<void> {
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
export async function applyAdjustments(
  connection: PoolConnection,
  changes: FoldedChanges,
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

export async function applyRules(
  connection: PoolConnection,
  changes: FoldedChanges,
): Promise<void> {
  for (const [productId, version] of sorted(changes.rules)) {
    await connection.query(
      'UPDATE products SET rules_applied = GREATEST(rules_applied, ?) WHERE id = ?',
      [version, productId],
    );
  }
}
