import type { Watermark } from '../db/changes.ts';
import { type Database, driverError, query } from '../db/client.ts';
import { readWatermark } from '../db/watermarks.ts';
import { Deadline, within } from '../domain/deadline.ts';
import { laneKey, outboxKey } from '../redis/keys.ts';
import type { LaneLink } from '../redis/link.ts';
import { type Judgement, judge, type LaneFound } from './judge.ts';

const LIMIT_MS = 2_000;

/** A lane as both stores have it, and what follows from that. */
export interface Examined extends Judgement {
  found: LaneFound | undefined;
}

function parsePosition(text: string): { epoch: number; sequence: number } {
  const [epoch, sequence] = text.split('-').map(Number);
  return { epoch: epoch ?? 0, sequence: sequence ?? -1 };
}

async function readLane({ redis }: LaneLink, lane: number): Promise<LaneFound | undefined> {
  const fields = ['state', 'epoch', 'run', 'tail', 'position', 'cap'] as const;
  const reading = Promise.all([
    redis.hmget(laneKey(lane), ...fields),
    redis.xrange(outboxKey(lane), '-', '+', 'COUNT', 1),
  ]);
  const [values, entries] = await within(new Deadline(LIMIT_MS), 'Redis (lane)', reading);
  const [state, epoch, run, tail, position, cap] = values;
  if (!state) return undefined;
  const oldest = entries[0]?.[0];
  return {
    state,
    epoch: Number(epoch),
    run: run ?? '',
    tail: tail ?? '',
    sequence: position ? parsePosition(position).sequence : -1,
    oldest: oldest === undefined ? undefined : parsePosition(oldest),
    cap: Number(cap),
  };
}

// A database without our tables has never heard of any lane.
async function readMark(database: Database, lane: number): Promise<Watermark | undefined> {
  try {
    return await query(new Deadline(LIMIT_MS), 'watermark', readWatermark(database, lane));
  } catch (error) {
    if (/^ER_(NO_SUCH_TABLE|BAD_DB_ERROR)$/.test(driverError(error).code)) return undefined;
    throw error;
  }
}

/** Looks at a lane in both stores. Throws `Unavailable` when one of them cannot be asked. */
export async function examine(link: LaneLink, database: Database, lane: number): Promise<Examined> {
  // MySQL first, Redis second: the other way round, Redis could seem to be behind.
  const watermark = await readMark(database, lane);
  const found = await readLane(link, lane);
  return { found, ...judge(watermark, found, link.run()) };
}
