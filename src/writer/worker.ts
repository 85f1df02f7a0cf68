import { Worker } from 'bullmq';
import type { Logger } from '../log.ts';
import { bullConnection } from '../redis/client.ts';
import { BULL_PREFIX } from '../redis/keys.ts';
import { DRAIN_QUEUE } from './doorbell.ts';
import type { Drain } from './drain.ts';

const TIMER_MS = 1_000;
const LANES_AT_ONCE = 8;

export interface WriterOptions {
  redisUrl: string;
  lanes: number;
  drain: Drain;
  log: Logger;
}

/**
 * Drains lanes whenever the doorbell rings, and once a second without it. The timer goes around
 * BullMQ on purpose: at maxmemory a job cannot be added, and then nothing would ever be trimmed.
 */
export function startWriter({ redisUrl, lanes, drain, log }: WriterOptions): {
  close: () => Promise<void>;
} {
  const complaints = new Map<number, string>();
  const drainAndTell = async (lane: number) => {
    try {
      const transitions = await drain(lane);
      if (complaints.delete(lane)) log.info({ lane, transitions }, 'lane drains again');
    } catch (error) {
      // Said once a reason: a lane that cannot drain is tried every second.
      const reason = (error as Error).message;
      if (complaints.get(lane) !== reason) log.error({ lane, err: error }, 'lane does not drain');
      complaints.set(lane, reason);
    }
  };

  let isClosing = false;
  const worker = new Worker<{ lane: number }>(DRAIN_QUEUE, (job) => drainAndTell(job.data.lane), {
    prefix: BULL_PREFIX,
    connection: bullConnection(redisUrl, 'worker', () => isClosing),
    concurrency: Math.min(lanes, LANES_AT_ONCE),
    skipVersionCheck: true,
  });
  worker.on('error', (error) => log.debug({ err: error }, 'drain queue'));

  let ticking: Promise<void> = Promise.resolve();
  let ticks = 0;
  const timer = setInterval(() => {
    if (ticks > 0) return;
    ticks += 1;
    ticking = Promise.all(Array.from({ length: lanes }, (_, lane) => drainAndTell(lane))).then(
      () => {
        ticks -= 1;
      },
    );
  }, TIMER_MS);

  return {
    close: async () => {
      isClosing = true;
      clearInterval(timer);
      await worker.close();
      await ticking;
    },
  };
}
