import type { PoolConnection, ResultSetHeader } from 'mysql2/promise';

// Rows are written by mysql2 itself: building a thousand-row insert through the query builder
// takes the writer longer than MySQL needs to run it.

export type Row = (string | number | null)[];

/** `2026-01-02 03:04:05.678`, in UTC. */
export const moment = (ms: number): string =>
  new Date(ms).toISOString().replace('T', ' ').slice(0, -1);
export const momentOrNull = (ms: number | null): string | null => (ms === null ? null : moment(ms));

// Rows sorted by primary key lock in one order, so that two drains wait instead of deadlocking.
export const sorted = <K extends string | number, V>(map: Map<K, V>): [K, V][] =>
  [...map].sort(([a], [b]) => (a < b ? -1 : 1));

/** Rows do not say what the journal says they must: nothing of the batch was written. */
export class RowsDisagree extends Error {
  override readonly name = 'RowsDisagree';
}

export async function insert(connection: PoolConnection, sql: string, rows: Row[]): Promise<void> {
  if (rows.length > 0) await connection.query(sql, [rows]);
}

// An upsert that may only update: MySQL counts 2 for a changed row and 1 for a new one.
export async function update(connection: PoolConnection, table: string, sql: string, rows: Row[]) {
  if (rows.length === 0) return;
  const [result] = await connection.query<ResultSetHeader>(sql, [rows]);
  if (result.affectedRows !== 2 * rows.length) {
    throw new RowsDisagree(
      `${table}: of ${rows.length} rows that the journal changes, some are missing or were changed before`,
    );
  }
}
