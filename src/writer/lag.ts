import type { Redis } from 'ioredis';
import type { Watermark } from '../db/changes.ts';
import { type Database, query } from '../db/client.ts';
import { readWatermarks } from '../db/watermarks.ts';
import { Deadline } from '../domain/deadline.ts';
import { Unavailable } from '../domain/unavailable.ts';
import { laneKey } from '../redis/keys.ts';

const LOOK_EVERY_MS = 500;
const LOOK_LIMIT_MS = 1_000;
/** Beyond this, orders and payments are refused before any script runs. */
const LAG_MAX_MS = 2_000;

/** How far MySQL is behind the journal. */
export interface Lag {
  /** Throws `Unavailable` when MySQL cannot be asked or a lane's rows are too far behind. */
  check: (lane: number) => void;
  /** Milliseconds for which the oldest seen entry of a lane has been waiting for its commit. */
  ofLane: (lane: number) => number;
  close: () => void;
}

/** A position of the journal that was not committed when it was first seen. */
interface Waiting {
  epoch: number;
  sequence: number;
  seenAt: number;
}

const reached = (watermark: Watermark | undefined, waiting: Waiting): boolean =>
  watermark !== undefined &&
  (watermark.epoch > waiting.epoch ||
    (watermark.epoch === waiting.epoch && watermark.sequence >= waiting.sequence));

export async function watchLag(redis: Redis, database: Database, lanes: number): Promise<Lag> {
  const waitingByLane = new Map<number, Waiting>();
  let unreachable: string | undefined = 'not asked yet';

  const lookAt = async (lane: number, watermark: Watermark | undefined) => {
    const position = await redis.hget(laneKey(lane), 'position');
    const waiting = waitingByLane.get(lane);
    if (waiting && !reached(watermark, waiting)) return;
    waitingByLane.delete(lane);
    if (!position) return;
    const [epoch, sequence] = position.split('-').map(Number);
    const newest = { epoch: epoch ?? 0, sequence: sequence ?? 0, seenAt: performance.now() };
    if (!reached(watermark, newest)) waitingByLane.set(lane, newest);
  };

  const look = async () => {
    const deadline = new Deadline(LOOK_LIMIT_MS);
    try {
      const watermarks = await query(deadline, 'watermarks', readWatermarks(database));
      unreachable = undefined;
      for (let lane = 0; lane < lanes; lane += 1) await lookAt(lane, watermarks.get(lane));
    } catch (error) {
      unreachable = (error as Error).message;
    }
  };

  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  const lookAgain = async () => {
    await look();
    if (!closed) timer = setTimeout(lookAgain, LOOK_EVERY_MS);
  };
  await lookAgain();

  const ofLane = (lane: number) => {
    const waiting = waitingByLane.get(lane);
    return waiting ? performance.now() - waiting.seenAt : 0;
  };
  return {
    ofLane,
    check: (lane) => {
      if (unreachable !== undefined) throw new Unavailable(unreachable);
      const lagMs = ofLane(lane);
      if (lagMs > LAG_MAX_MS) {
        throw new Unavailable(`MySQL is ${Math.round(lagMs)} ms behind lane ${lane}`);
      }
    },
    close: () => {
      closed = true;
      clearTimeout(timer);
    },
  };
}
