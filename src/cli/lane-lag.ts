import type { Watermark } from '../db/changes.ts';
import { Deadline } from '../domain/deadline.ts';
import { parseJournalEntry } from '../domain/parse-journal.ts';
import { ANSWER_LIMIT_MS, askRedis } from '../redis/client.ts';
import { laneKey, outboxKey } from '../redis/keys.ts';
import type { LaneLink } from '../redis/link.ts';

/** How far MySQL is behind a lane's journal. */
export interface LaneLag {
  /** Entries that are stored, committed ones of the last seconds included. */
  entries: number;
  /** Transitions that MySQL does not have. */
  backlog: number;
  /** Age of the oldest entry that MySQL does not have; 0 when it has all. */
  lagMs: number;
}

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
  const limit = new Deadline(ANSWER_LIMIT_MS);
  const [emitted, entries, oldest, [seconds]] = await askRedis(limit, 'outbox', reading);
  const [first] = oldest;
  const nowMs = Number(seconds) * 1_000;
  return {
    entries,
    backlog: Math.max(0, Number(emitted ?? 0) - (watermark?.emitted ?? 0)),
    lagMs: first ? Math.max(0, nowMs - parseJournalEntry(...first).atMs) : 0,
  };
}
