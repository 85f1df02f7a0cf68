import { Redis } from 'ioredis';
import { afterAll, beforeAll, inject } from 'vitest';

const POLLS_MAX_MS = 10_000;

/**
 * A connection for one test file, in a database that only this worker uses, empty at its start.
 * Call it at the top of a file.
 */
export function useRedis(): Redis {
  const db = Number(process.env.VITEST_POOL_ID ?? 1);
  const redis = new Redis(inject('redisUrl'), { db, lazyConnect: true });
  beforeAll(async () => {
    await redis.connect();
    await redis.flushdb();
  });
  afterAll(() => redis.disconnect());
  return redis;
}

export async function redisNowMs(redis: Redis): Promise<number> {
  const [seconds, micros] = await redis.time();
  return Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
}

/** Returns once the server's clock has passed `atMs`, without guessing how long that takes. */
export async function redisTimeAfter(redis: Redis, atMs: number): Promise<void> {
  const giveUpAt = performance.now() + POLLS_MAX_MS;
  while ((await redisNowMs(redis)) <= atMs) {
    if (performance.now() > giveUpAt) throw new Error(`Redis time did not pass ${atMs}`);
  }
}

/** `run_id` of the server process, as the lanes know it. */
export async function runIdOf(redis: Redis): Promise<string> {
  const match = /^run_id:(\w+)/m.exec(await redis.info('server'));
  if (!match?.[1]) throw new Error('the server tells no run_id');
  return match[1];
}

/** Every key of a lane with its exact bytes and expiry. */
export async function dumpOf(redis: Redis, lane: number): Promise<Map<string, string>> {
  const dump = new Map<string, string>();
  for (const key of (await redis.keys(`hf:{${lane}}:*`)).sort()) {
    const bytes = await redis.dumpBuffer(key);
    dump.set(key, `${await redis.pexpiretime(key)} ${bytes?.toString('base64')}`);
  }
  return dump;
}
