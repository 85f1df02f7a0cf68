import { and, eq } from 'drizzle-orm';
import type { RowDataPacket } from 'mysql2/promise';
import { CHAIN_START } from '../domain/journal.ts';
import type { Watermark } from './changes.ts';
import type { Database } from './client.ts';
import { lanes } from './schema.ts';

/** Where a lane's rows stand, or undefined when MySQL has never heard of the lane. */
export async function readWatermark(
  { orm }: Database,
  lane: number,
): Promise<Watermark | undefined> {
  const [row] = await orm.select().from(lanes).where(eq(lanes.lane, lane));
  if (!row) return undefined;
  return { epoch: row.epoch, sequence: row.sequence, call: row.call, emitted: row.emitted };
}

/** Watermarks of all lanes that MySQL knows. */
export async function readWatermarks({ orm }: Database): Promise<Map<number, Watermark>> {
  const rows = await orm.select().from(lanes);
  return new Map(rows.map(({ lane, eventAt: _, ...watermark }) => [lane, watermark]));
}

/** Makes a lane known, before its first epoch. Does nothing when it is known. */
export async function insertLane({ orm }: Database, lane: number): Promise<void> {
  await orm
    .insert(lanes)
    .ignore()
    .values({ lane, epoch: 0, sequence: -1, call: CHAIN_START, emitted: 0, eventAt: null });
}

/**
 * Runs `work` while no other process does so for this lane, waiting for it at most `waitMs`. False
 * when that was too short. The lock ends with its connection, whatever ends that.
 */
export async function underLaneLock(
  { pool }: Database,
  lane: number,
  waitMs: number,
  work: () => Promise<void>,
): Promise<boolean> {
  // Names of locks are known to the whole server, and at most 64 characters long.
  const name = "CONCAT('holdfast.', LEFT(SHA2(DATABASE(), 256), 32), '.', ?)";
  const connection = await pool.getConnection();
  try {
    const [rows] = await connection.query<RowDataPacket[]>(
      `SELECT GET_LOCK(${name}, ?) AS locked`,
      [lane, waitMs / 1_000],
    );
    if (Number(rows[0]?.locked) !== 1) return false;
    try {
      await work();
    } finally {
      await connection.query(`DO RELEASE_LOCK(${name})`, [lane]);
    }
    return true;
  } finally {
    connection.release();
  }
}

/** Moves a lane that never had an entry on to its next epoch; false when another process did. */
export async function raiseEmptyEpoch(
  { orm }: Database,
  lane: number,
  epoch: number,
): Promise<boolean> {
  const [result] = await orm
    .update(lanes)
    .set({ epoch: epoch + 1 })
    .where(and(eq(lanes.lane, lane), eq(lanes.epoch, epoch), eq(lanes.sequence, -1)));
  return result.affectedRows === 1;
}
