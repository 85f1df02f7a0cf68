import mysql from 'mysql2';
import type { PoolConnection, ResultSetHeader } from 'mysql2/promise';
import { driverError } from './client.ts';

// Statements of a thousand rows are spelled here: the query builder takes longer than MySQL needs to
// run them, and mysql2's own formatting a quarter of the writer's time.

export type Row = (string | number | null)[];

// Nearly all texts are ids, words and times.
const NEEDS_NO_ESCAPE = /^[\w .:@|~/+=-]*$/;

function literal(value: Row[number]): string {
  if (typeof value === 'number') return `${value}`;
  if (value === null) return 'NULL';
  return NEEDS_NO_ESCAPE.test(value) ? `'${value}'` : mysql.escape(value);
}

/** Rows as the value of a statement's placeholder. */
const spelled = (rows: readonly Row[]) =>
  mysql.raw(rows.map((row) => `(${row.map(literal).join(',')})`).join(','));

const MOMENTS_MAX = 1_000;
const moments = new Map<number, string>();

/** `2026-01-02 03:04:05.678`, in UTC. Kept, since the rows of a transaction share their times. */
export function moment(ms: number): string {
  const known = moments.get(ms);
  if (known !== undefined) return known;
  if (moments.size >= MOMENTS_MAX) moments.clear();
  const text = new Date(ms).toISOString().replace('T', ' ').slice(0, -1);
  moments.set(ms, text);
  return text;
}
export const momentOrNull = (ms: number | null): string | null => (ms === null ? null : moment(ms));

// Rows sorted by primary key lock in one order, so that two drains wait instead of deadlocking.
export function sorted<K extends string | number, V>(map: Map<K, V>): [K, V][] {
  const keys = [...map.keys()];
  // Texts by the engine's own comparison, which calls nothing back.
  if (typeof keys[0] === 'string') keys.sort();
  else keys.sort((a, b) => Number(a) - Number(b));
  return keys.map((key) => [key, map.get(key) as V]);
}

/** Rows are not there, or not as the journal says they were: nothing of the run was written. */
export class RowsDisagree extends Error {
  override readonly name = 'RowsDisagree';
}

export async function insert(connection: PoolConnection, sql: string, rows: Row[]): Promise<void> {
  if (rows.length > 0) await connection.query(sql, [spelled(rows)]);
}

// An upsert that may only update: MySQL counts 2 for a changed row and 1 for a new one.
export async function update(connection: PoolConnection, table: string, sql: string, rows: Row[]) {
  if (rows.length === 0) return;
  const [result] = await connection.query<ResultSetHeader>(sql, [spelled(rows)]);
  if (result.affectedRows !== 2 * rows.length) {
    throw new RowsDisagree(
      `${table}: of ${rows.length} rows that the journal changes, some are missing or were changed before`,
    );
  }
}

// What a single row can be refused for. Anything else, a full disk or a missing table, is no fault
// of the transition, and is tried again until it passes.
// Source: MySQL 8.4 server error reference; MariaDB uses the same numbers but for one.
const POISON = new Set([
  'ER_DUP_ENTRY',
  'ER_DATA_TOO_LONG',
  'ER_BAD_NULL_ERROR',
  'ER_TRUNCATED_WRONG_VALUE',
  'ER_TRUNCATED_WRONG_VALUE_FOR_FIELD',
  'ER_WARN_DATA_OUT_OF_RANGE',
  'ER_INVALID_CHARACTER_STRING',
  'ER_CHECK_CONSTRAINT_VIOLATED',
  'ER_CONSTRAINT_FAILED',
  // 4025 is a failed CHECK of MariaDB; the driver has MySQL's name for it, which no row can cause.
  'ER_INNODB_AUTOEXTEND_SIZE_OUT_OF_RANGE',
  'ER_SIGNAL_EXCEPTION',
  'WARN_DATA_TRUNCATED',
]);

/** Whether the same transition would be refused again, however often it is tried. */
export const isPoison = (error: unknown): boolean =>
  error instanceof RowsDisagree || POISON.has(driverError(error).code);
