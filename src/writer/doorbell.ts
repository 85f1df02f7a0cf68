import { Queue } from 'bullmq';
import { bullConnection } from '../redis/client.ts';
import { BULL_PREFIX } from '../redis/keys.ts';

export const DRAIN_QUEUE = 'drain';
/** Rings within this time are one job: a batch of orders shares one transaction. */
const DEBOUNCE_MS = 4;

/** Tells the writers that a lane has new entries. A ring that gets lost only costs a second. */
export interface Doorbell {
  ring: (lane: number) => void;
  close: () => Promise<void>;
}

export function createDoorbell(redisUrl: string): Doorbell {
  let isClosing = false;
  const queue = new Queue(DRAIN_QUEUE, {
    prefix: BULL_PREFIX,
    connection: bullConnection(redisUrl, 'queue', () => isClosing),
    defaultJobOptions: { removeOnComplete: true, removeOnFail: true },
    skipVersionCheck: true,
  });
  // The direct drain of the plain timer does the work when the queue cannot.
  queue.on('error', () => {});
  const timers = new Map<number, NodeJS.Timeout>();

  const add = (lane: number) => {
    timers.delete(lane);
    queue
      .add('drain', { lane }, { deduplication: { id: `lane-${lane}`, keepLastIfActive: true } })
      .catch(() => {});
  };

  return {
    ring: (lane) => {
      if (!timers.has(lane)) timers.set(lane, setTimeout(add, DEBOUNCE_MS, lane));
    },
    close: async () => {
      isClosing = true;
      for (const timer of timers.values()) clearTimeout(timer);
      timers.clear();
      await queue.close();
    },
  };
}
