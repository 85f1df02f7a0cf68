import type { Redis } from 'ioredis';
import type { Logger } from '../log.ts';
import { parseInfo } from './client.ts';

const LOOK_EVERY_MS = 500;
/** Above this share of `maxmemory` no hold is granted: the rest is for orders and payments. */
export const FULL_SHARE = 0.9;

/** How much of its `maxmemory` Redis uses. */
export interface Memory {
  /** Whether there is only enough left for what is under way, as of the last look. */
  isFull: () => boolean;
  close: () => void;
}

/** Looks twice a second, and logs when it begins and when it ends. A limit of 0 is none. */
export async function watchMemory(redis: Redis, log: Logger): Promise<Memory> {
  let isFull = false;

  const look = async () => {
    const info = parseInfo(await redis.info('memory'));
    const used = Number(info.get('used_memory') ?? 0);
    const max = Number(info.get('maxmemory') ?? 0);
    const was = isFull;
    isFull = max > 0 && used > FULL_SHARE * max;
    if (isFull && !was) log.error({ used, max }, 'Redis is nearly full: holds are refused');
    if (!isFull && was) log.info({ used, max }, 'Redis has memory again: holds are granted');
  };

  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  const lookAgain = async () => {
    // While Redis does not answer, it grants no holds either: what was seen last stands.
    await look().catch(() => {});
    if (!closed) timer = setTimeout(lookAgain, LOOK_EVERY_MS);
  };
  await lookAgain();

  return {
    isFull: () => isFull,
    close: () => {
      closed = true;
      clearTimeout(timer);
    },
  };
}
