import { randomUUID } from 'node:crypto';
import { and, eq } from 'drizzle-orm';
import type { PoolConnection, ResultSetHeader, RowDataPacket } from 'mysql2/promise';
import { CHAIN_START } from '../domain/journal.ts';
import { COUNTER_NAMES, type Counters } from '../domain/product.ts';
import { type Database, transaction } from './client.ts';
import { sumDeadLetters } from './dead-letters.ts';
import { type RebuildFinding, rebuilds } from './schema.ts';

// Only counters of live rows are counted anew: sold units never come back by themselves, and to add
// up all orders ever made would hold up the sale.

const TRANSACTION_LIMIT_MS = 60_000;
const REASON_LENGTH = 500;

/** Orders alone take more than there is: no hold can be cancelled to make it right. */
export class OrdersExceedTotal extends Error {
  override readonly name = 'OrdersExceedTotal';
}

/** What a rebuild starts from. */
export interface RebuildBegun {
  /** The lane's new epoch; nothing of an earlier one is committed any more. */
  epoch: number;
  /** Tells this database from another. */
  shop: string;
  findings: RebuildFinding[];
}

interface Taken {
  held: number;
  pending: number;
}

type Row = RowDataPacket;

async function rowsOf(connection: PoolConnection, sql: string, values: unknown[]): Promise<Row[]> {
  return (await connection.query<Row[]>(sql, values))[0];
}

async function sumLive(connection: PoolConnection, lane: number): Promise<(id: number) => Taken> {
  const held = await rowsOf(
    connection,
    'SELECT i.product_id AS id, SUM(i.qty) AS units FROM holds h JOIN hold_items i' +
      " ON i.hold_id = h.id WHERE h.lane = ? AND h.state = 'held' GROUP BY i.product_id",
    [lane],
  );
  const pending = await rowsOf(
    connection,
    'SELECT i.product_id AS id, SUM(i.qty) AS units FROM orders o JOIN hold_items i' +
      " ON i.hold_id = o.hold_id WHERE o.lane = ? AND o.state = 'pending' GROUP BY i.product_id",
    [lane],
  );
  const byId = (rows: Row[]) => new Map(rows.map((row) => [Number(row.id), Number(row.units)]));
  const [heldById, pendingById] = [byId(held), byId(pending)];
  // What waits as a dead letter has moved units, though no row says so.
  const waiting = await sumDeadLetters(connection, lane);
  return (id) => ({
    held: (heldById.get(id) ?? 0) + (waiting.get(id)?.held ?? 0),
    pending: (pendingById.get(id) ?? 0) + (waiting.get(id)?.pending ?? 0),
  });
}

// The newest holds go first: they are the ones that should not have been granted. What waits as a
// dead letter is more than its row says, an order perhaps.
async function cancelHolds(
  connection: PoolConnection,
  lane: number,
  epoch: number,
  productId: number,
  units: number,
): Promise<RebuildFinding[]> {
  const candidates = await rowsOf(
    connection,
    'SELECT h.id, i.qty FROM holds h JOIN hold_items i ON i.hold_id = h.id' +
      " WHERE h.lane = ? AND h.state = 'held' AND i.product_id = ? AND NOT EXISTS (SELECT 1 FROM" +
      " dead_letters d WHERE d.lane = h.lane AND d.reservation = SUBSTRING_INDEX(h.id, '_', -1)" +
      ' AND d.replayed_at IS NULL) ORDER BY h.created_at DESC, h.id DESC',
    [lane, productId],
  );
  const findings: RebuildFinding[] = [];
  let left = units;
  for (const { id, qty } of candidates) {
    if (left <= 0) break;
    findings.push({ kind: 'hold_beyond_total', holdId: id });
    left -= Number(qty);
    await connection.query(
      "UPDATE holds SET state = 'expired', version = version + 1, ended_at = UTC_TIMESTAMP(3) WHERE id = ?",
      [id],
    );
    await connection.query(
      'INSERT INTO transitions (reservation, version, lane, epoch, sequence, from_state, to_state, at,' +
        " reference) SELECT SUBSTRING_INDEX(id, '_', -1), version, lane, ?, -1, 'held', state," +
        " ended_at, '' FROM holds WHERE id = ?",
      [epoch, id],
    );
  }
  if (left > 0) {
    throw new OrdersExceedTotal(
      `product ${productId} of lane ${lane} has orders for ${left} units more than its total`,
    );
  }
  return findings;
}

const countersOf = (row: Row): Counters =>
  Object.fromEntries(COUNTER_NAMES.map((name) => [name, Number(row[name])])) as unknown as Counters;

function fromRows({ total, sold }: Counters, { held, pending }: Taken): Counters {
  return { total, available: total - held - pending - sold, held, pending, sold };
}

// The `stock` rows as the live rows have it; holds beyond the total are cancelled.
async function correctStock(
  connection: PoolConnection,
  lane: number,
  epoch: number,
): Promise<RebuildFinding[]> {
  const stock = await rowsOf(
    connection,
    'SELECT * FROM stock WHERE lane = ? ORDER BY product_id FOR UPDATE',
    [lane],
  );
  const findings: RebuildFinding[] = [];
  let taken = await sumLive(connection, lane);
  for (const row of stock) {
    const { available } = fromRows(countersOf(row), taken(row.product_id));
    if (available >= 0) continue;
    findings.push(...(await cancelHolds(connection, lane, epoch, row.product_id, -available)));
    // A cancelled hold may be of several products.
    taken = await sumLive(connection, lane);
  }
  for (const row of stock) {
    const productId = Number(row.product_id);
    const found = countersOf(row);
    const expected = fromRows(found, taken(productId));
    if (COUNTER_NAMES.every((name) => found[name] === expected[name])) continue;
    findings.push({ kind: 'counters_disagree', productId, expected, found });
    const { available, held, pending } = expected;
    await connection.query(
      'UPDATE stock SET available = ?, held = ?, pending = ? WHERE product_id = ?',
      [available, held, pending, productId],
    );
  }
  return findings;
}

/**
 * Begins a lane's next epoch, above `epochInRedis` too, with rows that add up. From its commit on no
 * entry of an earlier epoch is taken any more. Throws `OrdersExceedTotal`, and then nothing changed.
 */
export function beginRebuild(
  database: Database,
  lane: number,
  epochInRedis: number,
  reason: string,
): Promise<RebuildBegun> {
  return transaction(database, TRANSACTION_LIMIT_MS, async (connection) => {
    await connection.query(
      'INSERT IGNORE INTO lanes (lane, epoch, sequence, `call`, emitted) VALUES (?, 0, -1, ?, 0)',
      [lane, CHAIN_START],
    );
    const locked = 'SELECT epoch, shop FROM lanes WHERE lane = ? FOR UPDATE';
    const [row] = await rowsOf(connection, locked, [lane]);
    const epoch = Math.max(Number(row?.epoch ?? 0), epochInRedis) + 1;
    const shop = row?.shop || randomUUID().replaceAll('-', '');
    const findings = await correctStock(connection, lane, epoch);
    await connection.query<ResultSetHeader>(
      'UPDATE lanes SET epoch = ?, sequence = -1, `call` = ?, emitted = 0, shop = ?, drifts = 0,' +
        ' suspect = FALSE WHERE lane = ?',
      [epoch, CHAIN_START, shop, lane],
    );
    // Redis gets its counters from here.
    await connection.query(
      'UPDATE drifts SET resolved_at = UTC_TIMESTAMP(3) WHERE lane = ? AND resolved_at IS NULL',
      [lane],
    );
    await connection.query(
      'REPLACE INTO rebuilds (lane, epoch, reason, started_at, findings)' +
        ' VALUES (?, ?, ?, UTC_TIMESTAMP(3), ?)',
      [lane, epoch, reason.slice(0, REASON_LENGTH), JSON.stringify(findings)],
    );
    return { epoch, shop, findings };
  });
}

/** Takes note that the lane is open again, and of how much was loaded. */
export async function finishRebuild(
  { orm }: Database,
  lane: number,
  epoch: number,
  loaded: { holds: number; orders: number },
): Promise<void> {
  await orm
    .update(rebuilds)
    .set({ ...loaded, finishedAt: new Date() })
    .where(and(eq(rebuilds.lane, lane), eq(rebuilds.epoch, epoch)));
}
