import { and, eq } from 'drizzle-orm';
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
