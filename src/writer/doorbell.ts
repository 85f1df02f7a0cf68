import { Queue } from 'bullmq';
import { bullConnection } from '../redis/client.ts';
import { BULL_PREFIX } from '../redis/keys.ts';
import type { Drain } from './drain.ts';

export const DRAIN_QUEUE = 'drain';
/** Rings within this time are one job: a batch of orders shares one transaction. */
const AWAITED_WITHIN_MS = 1;
/** The same where nobody waits. Longer saves CPU, but a large drain holds up the requests beside it. */
const UNAWAITED_WITHIN_MS = 25;

/** Tells the writers that a lane has new entries. A ring that gets lost only costs a second. */
export interface Doorbell {
  /** `isAwaited` tells whether somebody waits for the commit; so it is unless said otherwise. */
  ring: (lane: number, isAwaited?: boolean) => void;
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
  const timers = new Map<number, { timer: NodeJS.Timeout; isAwaited: boolean }>();

  const add = (lane: number) => {
    timers.delete(lane);
    queue
      .add('drain', { lane }, { deduplication: { id: `lane-${lane}`, keepLastIfActive: true } })
      .catch(() => {});
  };

  return {
    ring: (lane, isAwaited = true) => {
      const known = timers.get(lane);
      if (known && (known.isAwaited || !isAwaited)) return;
      clearTimeout(known?.timer);
      const timer = setTimeout(add, isAwaited ? AWAITED_WITHIN_MS : UNAWAITED_WITHIN_MS, lane);
      timers.set(lane, { timer, isAwaited });
    },
    close: async () => {
      isClosing = true;
      for (const { timer } of timers.values()) clearTimeout(timer);
      timers.clear();
      await queue.close();
    },
  };
}

/** Drains in this very process. A drain that fails is tried again by the writer, or by the next ring. */
export const ownDoorbell = (drain: Drain): Doorbell => ({
  ring: (lane) => void drain(lane).catch(() => {}),
  close: async () => {},
});

/**
 * For a process that is a writer itself: where somebody waits for a commit, it drains at once. The way
 * through BullMQ and back takes as long as a commit.
 */
export function nearDoorbell(far: Doorbell, drain: Drain): Doorbell {
  const near = ownDoorbell(drain);
  return {
    ring: (lane, isAwaited = true) => (isAwaited ? near : far).ring(lane, isAwaited),
    close: far.close,
  };
}
