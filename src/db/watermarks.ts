import { eq } from 'drizzle-orm';
import type { PoolConnection, RowDataPacket } from 'mysql2/promise';
import { Deadline } from '../domain/deadline.ts';
import type { Watermark } from './changes.ts';
import { acquire, type Database, query } from './client.ts';
import { lanes } from './schema.ts';

const ANSWER_LIMIT_MS = 2_000;
const PING_EVERY_MS = 3_000;
const SILENCE_MAX_SECONDS = 10;

/** Where a lane's rows stand, or undefined when MySQL has never heard of the lane. */
export async function readWatermark(
  { orm }: Database,
  lane: number,
): Promise<Watermark | undefined> {
  const [row] = await orm.select().from(lanes).where(eq(lanes.lane, lane));
  if (!row) return undefined;
  return { epoch: row.epoch, sequence: row.sequence, call: row.call, emitted: row.emitted };
}

/** A lane's watermark, which database says so, and what it knows to be wrong with the lane. */
export interface LaneMark extends Watermark {
  shop: string;
  /** Products whose counters in Redis differ from the fold. */
  drifts: number;
  /** Closed until they agree again. */
  suspect: boolean;
  deadLetters: number;
}

/** Watermarks of all lanes that MySQL knows. */
export async function readWatermarks({ orm }: Database): Promise<Map<number, LaneMark>> {
  const rows = await orm.select().from(lanes);
  return new Map(rows.map(({ lane, eventAt: _, ...watermark }) => [lane, watermark]));
}

/**
 * Runs `work` while no other process does so for this lane, or for the books, waiting for it at most
 * `waitMs`. False when that was too short. The lock ends with its connection, whatever ends that, and
 * some seconds after its process stands still; what is done on `connection` is done under the lock.
 */
export async function underLock(
  database: Database,
  what: number | 'books' | 'schedule',
  waitMs: number,
  work: (connection: PoolConnection) => Promise<void>,
): Promise<boolean> {
  // Names of locks are known to the whole server, and at most 64 characters long.
  const name = "CONCAT('holdfast.', LEFT(SHA2(DATABASE(), 256), 32), '.', ?)";
  const connection = await acquire(database, new Deadline(waitMs + ANSWER_LIMIT_MS));
  const ask = (sql: string, values: unknown[] = []) =>
    query(
      new Deadline(waitMs + ANSWER_LIMIT_MS),
      'lock',
      connection.query<RowDataPacket[]>(sql, values),
    );
  // A holder that stands still must not keep the lock: MySQL hangs up on it after some seconds.
  const awake = setInterval(() => void connection.ping().catch(() => {}), PING_EVERY_MS);
  try {
    await ask('SET SESSION wait_timeout = ?', [SILENCE_MAX_SECONDS]);
    const [rows] = await ask(`SELECT GET_LOCK(${name}, ?) AS locked`, [what, waitMs / 1_000]);
    if (Number(rows[0]?.locked) !== 1) return false;
    await work(connection);
    return true;
  } finally {
    clearInterval(awake);
    // Ends the lock with it; nobody else may get a connection with this setting.
    connection.destroy();
  }
}
