import { type Database, driverError, query } from '../db/client.ts';
import { type LaneMark, readWatermarks } from '../db/watermarks.ts';
import { Deadline } from '../domain/deadline.ts';
import { ANSWER_LIMIT_MS, askRedis } from '../redis/client.ts';
import { laneKey, outboxKey } from '../redis/keys.ts';
import type { LaneLink } from '../redis/link.ts';
import { type Judgement, judge, type LaneFound } from './judge.ts';

const MYSQL_LIMIT_MS = 2_000;

/** A lane as both stores have it, and what follows from that. */
export interface Examined extends Judgement {
  lane: number;
  watermark: LaneMark | undefined;
  found: LaneFound | undefined;
}

function parsePosition(text: string): { epoch: number; sequence: number } {
  const [epoch, sequence] = text.split('-').map(Number);
  return { epoch: epoch ?? 0, sequence: sequence ?? -1 };
}

async function readLane({ redis }: LaneLink, lane: number): Promise<LaneFound | undefined> {
  const fields = ['state', 'epoch', 'run', 'tail', 'position', 'cap', 'shop'] as const;
  const reading = Promise.all([
    redis.hmget(laneKey(lane), ...fields),
    redis.xrange(outboxKey(lane), '-', '+', 'COUNT', 1),
  ]);
  const [values, entries] = await askRedis(new Deadline(ANSWER_LIMIT_MS), 'lane', reading);
  const [state, epoch, run, tail, position, cap, shop] = values;
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
    shop: shop ?? '',
  };
}

// A database without our tables has never heard of any lane.
async function readMarks(database: Database): Promise<Map<number, LaneMark>> {
  try {
    return await query(new Deadline(MYSQL_LIMIT_MS), 'watermarks', readWatermarks(database));
  } catch (error) {
    if (/^ER_(NO_SUCH_TABLE|BAD_DB_ERROR)$/.test(driverError(error).code)) return new Map();
    throw error;
  }
}

async function examineThese(
  link: LaneLink,
  database: Database,
  lanes: readonly number[],
): Promise<Examined[]> {
  // MySQL first, Redis second: the other way round, Redis could seem to be behind.
  const watermarks = await readMarks(database);
  const found = await Promise.all(lanes.map((lane) => readLane(link, lane)));
  return lanes.map((lane, index) => {
    const inRedis = found[index];
    const watermark = watermarks.get(lane);
    return { lane, watermark, found: inRedis, ...judge(watermark, inRedis, link.run()) };
  });
}

/** Looks at a lane in both stores. Throws `Unavailable` when one of them cannot be asked. */
export async function examine(link: LaneLink, database: Database, lane: number): Promise<Examined> {
  const [examined] = await examineThese(link, database, [lane]);
  return examined as Examined;
}

/** The same for the first `count` lanes. */
export const examineAll = (
  link: LaneLink,
  database: Database,
  count: number,
): Promise<Examined[]> =>
  examineThese(
    link,
    database,
    Array.from({ length: count }, (_, lane) => lane),
  );
