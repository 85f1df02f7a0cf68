import type { Redis } from 'ioredis';
import type { Logger } from '../log.ts';
import { parseInfo } from './client.ts';

export const MAJOR_MIN = 7;

/** This Redis must not be used, and why. */
export class UnfitRedis extends Error {
  override readonly name = 'UnfitRedis';
}

/** Valkey says it is Redis 7.2 to those who ask for redis_version. */
export function versionOf(server: Map<string, string>): { name: string; version: string } {
  const valkey = server.get('valkey_version');
  if (valkey) return { name: 'Valkey', version: valkey };
  return { name: 'Redis', version: server.get('redis_version') ?? '' };
}

async function evictionPolicy(redis: Redis): Promise<string | undefined> {
  const memory = parseInfo(await redis.info('memory'));
  return memory.get('maxmemory_policy');
}

/**
 * Refuses a Redis that would lose data on purpose or lacks what the scripts need.
 *
 * Source: Redis documentation, key eviction: any policy but `noeviction` may drop a counter, an
 * order or the journal when memory runs out.
 */
export async function checkRedis(redis: Redis, log: Logger): Promise<void> {
  const { version } = versionOf(parseInfo(await redis.info('server')));
  if (Number.parseInt(version, 10) < MAJOR_MIN) {
    throw new UnfitRedis(
      `Redis ${version} is too old: Holdfast needs Redis 7.0 or later, or Valkey`,
    );
  }
  const policy = await evictionPolicy(redis);
  if (policy === undefined) {
    log.warn('Redis does not tell its maxmemory-policy; make sure that it is noeviction');
  } else if (policy !== 'noeviction') {
    throw new UnfitRedis(
      `Redis has maxmemory-policy ${policy}, which drops stock counters and orders when memory ` +
        'runs out. Set it to noeviction: redis-cli CONFIG SET maxmemory-policy noeviction, and the ' +
        'same in redis.conf',
    );
  }
}
