import type { Redis } from 'ioredis';
import type { Watermark } from '../db/changes.ts';
import { type Database, query } from '../db/client.ts';
import { readWatermarks } from '../db/watermarks.ts';
import { Deadline } from '../domain/deadline.ts';
import { Unavailable } from '../domain/unavailable.ts';
import { askRedis } from '../redis/client.ts';
import { laneKey } from '../redis/keys.ts';

// Together, and with the pause of a waiter (acks.ts), less than the 2 s within which every request is
// answered while Redis stands still.
const LOOK_EVERY_MS = 250;
const LOOK_LIMIT_MS = 1_000;
/** Beyond this, orders and payments are refused before any script runs. */
export const LAG_MAX_MS = 2_000;

/** How far MySQL is behind the journal. */
export interface Lag {
  /** Throws `Unavailable` like `checkServers`, and when a lane's rows are too far behind. */
  check: (lane: number) => void;
  /** Throws `Unavailable` when Redis or MySQL did not answer when they were last asked. */
  checkServers: () => void;
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

  const note = (lane: number, position: string | null, watermark: Watermark | undefined) => {
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
    const reading = Promise.all(
      Array.from({ length: lanes }, (_, lane) => redis.hget(laneKey(lane), 'position')),
    );
    try {
      const [positions, watermarks] = await Promise.all([
        askRedis(deadline, 'positions', reading),
        query(deadline, 'watermarks', readWatermarks(database)),
      ]);
      unreachable = undefined;
      for (const [lane, position] of positions.entries()) {
        note(lane, position, watermarks.get(lane));
      }
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
  const checkServers = () => {
    if (unreachable !== undefined) throw new Unavailable(unreachable);
  };
  return {
    ofLane,
    checkServers,
    check: (lane) => {
      checkServers();
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
