import type { Watermark } from '../db/changes.ts';
import { Deadline } from '../domain/deadline.ts';
import { askRedis } from '../redis/client.ts';
import { laneKey, outboxKey } from '../redis/keys.ts';
import type { LaneLink } from '../redis/link.ts';

const LIMIT_MS = 2_000;

/** How far MySQL is behind a lane's journal. */
export interface LaneLag {
  /** Entries that are stored, committed ones of the last seconds included. */
  entries: number;
  /** Transitions that MySQL does not have. */
  backlog: number;
  /** Age of the oldest entry that MySQL does not have; 0 when it has all. */
  lagMs: number;
}

const atMsOf = (fields: string[] | undefined): number => {
  const index = fields?.indexOf('at_ms') ?? -1;
  return index < 0 ? Number.NaN : Number(fields?.[index + 1]);
};

/** Reads it past the engine: a command may run where nothing else does. */
export async function readLaneLag(
  { redis }: LaneLink,
  lane: number,
  watermark: Watermark | undefined,
): Promise<LaneLag> {
  const after = `(${watermark?.epoch ?? 0}-${Math.max(0, watermark?.sequence ?? 0)}`;
  const from = watermark && watermark.sequence < 0 ? '-' : after;
  const reading = Promise.all([
    redis.hget(laneKey(lane), 'emitted'),
    redis.xlen(outboxKey(lane)),
    redis.xrange(outboxKey(lane), from, '+', 'COUNT', 1),
    redis.time(),
  ]);
  const limit = new Deadline(LIMIT_MS);
  const [emitted, entries, oldest, [seconds]] = await askRedis(limit, 'outbox', reading);
  const atMs = atMsOf(oldest[0]?.[1]);
  return {
    entries,
    backlog: Math.max(0, Number(emitted ?? 0) - (watermark?.emitted ?? 0)),
    lagMs: Number.isNaN(atMs) ? 0 : Math.max(0, Math.round(Number(seconds) * 1_000 - atMs)),
  };
}
