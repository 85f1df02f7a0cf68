import type { PoolConnection, RowDataPacket } from 'mysql2/promise';
import { NO_UNITS, plus, sameCounters } from '../domain/counters.ts';
import type { Counters } from '../domain/product.ts';
import type { MarkChange, Position, StockChange } from './changes.ts';
import { insert, moment } from './rows.ts';

/** Where the journal shows Redis' counters of a product to differ from the fold. */
export interface Drift extends Position {
  lane: number;
  productId: number;
  /** What the fold says at that entry, and what Redis had. */
  expected: Counters;
  found: Counters;
  /** Whether a later entry of the same run showed that they agree again. */
  isResolved: boolean;
}

/** What is known of drift in a lane, and becomes of it with a run of entries. */
export interface Audit {
  lane: number;
  /** Products with an open row. */
  open: ReadonlySet<number>;
  found: Drift[];
  resolved: Set<number>;
}

export async function readAudit(
  connection: PoolConnection,
  lane: number,
  openCount: number,
): Promise<Audit> {
  const audit = { lane, found: [], resolved: new Set<number>() };
  if (openCount === 0) return { ...audit, open: new Set() };
  const [rows] = await connection.query<RowDataPacket[]>(
    'SELECT product_id FROM drifts WHERE lane = ? AND resolved_at IS NULL',
    [lane],
  );
  return { ...audit, open: new Set(rows.map((row) => Number(row.product_id))) };
}

/** Compares what Redis had with the fold: before the first entry of a product, and after its last. */
export function auditStock(
  audit: Audit,
  productId: number,
  change: StockChange,
  before: Counters,
  after: Counters,
): void {
  const { redisBefore, redisAfter, first, broke } = change;
  const agrees = sameCounters(redisAfter, after);
  if (audit.open.has(productId)) {
    if (agrees) audit.resolved.add(productId);
    return;
  }
  const wasOff = !sameCounters(redisBefore, before);
  if (!wasOff && !broke) return;
  const found = wasOff
    ? { ...first, expected: before, found: redisBefore }
    : { ...(broke as NonNullable<typeof broke>) };
  audit.found.push({ lane: audit.lane, productId, ...found, isResolved: agrees });
}

/** A mark at which they agree is as good as an entry that shows it. */
function auditMark(audit: Audit, productId: number): void {
  if (audit.open.has(productId)) audit.resolved.add(productId);
}

export async function writeAudit(
  connection: PoolConnection,
  { lane, found, resolved }: Audit,
  atMs: number,
): Promise<void> {
  await insert(
    connection,
    'INSERT INTO drifts (lane, epoch, sequence, product_id, expected, found, at, resolved_at) VALUES ?',
    found.map((drift) => [
      lane,
      drift.epoch,
      drift.sequence,
      drift.productId,
      JSON.stringify(drift.expected),
      JSON.stringify(drift.found),
      moment(atMs),
      drift.isResolved ? moment(atMs) : null,
    ]),
  );
  if (resolved.size === 0) return;
  await connection.query(
    'UPDATE drifts SET resolved_at = ? WHERE lane = ? AND resolved_at IS NULL AND product_id IN (?)',
    [moment(atMs), lane, [...resolved]],
  );
}

/** Writes what Redis had at each mark beside what `stock` says at that very entry. */
export async function writeMarks(
  connection: PoolConnection,
  audit: Audit,
  marks: readonly MarkChange[],
  before: ReadonlyMap<number, Counters>,
): Promise<void> {
  const rows = marks.map(({ event, epoch, sequence, atMs, deltas, believed }) => {
    const differences = [...event.counters].flatMap(([productId, found]) => {
      const known = before.get(productId) ?? NO_UNITS;
      const moved = plus(known, deltas.get(productId) ?? NO_UNITS);
      const expected = believed.get(productId) ?? moved;
      if (found && sameCounters(expected, found)) {
        auditMark(audit, productId);
        return [];
      }
      return [{ productId, expected, found }];
    });
    return [event.id, audit.lane, epoch, sequence, moment(atMs), JSON.stringify(differences)];
  });
  await insert(
    connection,
    'INSERT IGNORE INTO marks (id, lane, epoch, sequence, at, differences) VALUES ?',
    rows,
  );
}
