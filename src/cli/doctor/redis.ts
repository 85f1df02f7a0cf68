import type { Redis } from 'ioredis';
import { parseInfo } from '../../redis/client.ts';
import { FULL_SHARE } from '../../redis/memory.ts';
import { MAJOR_MIN, versionOf } from '../../redis/requirements.ts';
import { bad, type Check, either, ok, warn } from './check.ts';

const OFFSET_MAX_MS = 1_000;
const SLOW_MS = 5;
const PINGS = 20;

const percent = (share: number) => `${Math.round(share * 100)}%`;

async function settingOf(redis: Redis, name: string): Promise<string | undefined> {
  // Managed servers refuse CONFIG.
  const answer = (await redis.config('GET', name).catch(() => [])) as string[];
  return answer[1];
}

async function checkAnswers(redis: Redis): Promise<Check[]> {
  const times: number[] = [];
  for (let count = 0; count < PINGS; count += 1) {
    const startedAt = performance.now();
    await redis.ping();
    times.push(performance.now() - startedAt);
  }
  const medianMs = times.sort((a, b) => a - b)[PINGS / 2] ?? 0;
  const before = Date.now();
  const [seconds, micros] = await redis.time();
  const here = (before + Date.now()) / 2;
  const offsetMs = Math.round(Number(seconds) * 1_000 + Number(micros) / 1_000 - here);
  const [trip, offset] = [`${medianMs.toFixed(2)} ms`, `${offsetMs} ms from this machine's`];
  return [
    either(
      medianMs <= SLOW_MS,
      ok('Redis answers in', trip),
      warn('Redis answers in', trip, 'Every hold waits for this: bring Redis closer.'),
    ),
    either(
      Math.abs(offsetMs) <= OFFSET_MAX_MS,
      ok('Redis clock', offset),
      warn('Redis clock', offset, "Deadlines follow Redis' clock: run NTP on both machines."),
    ),
  ];
}

function checkMemory(memory: Map<string, string>): Check[] {
  const policy = memory.get('maxmemory_policy') ?? '?';
  const [used, max] = [Number(memory.get('used_memory')), Number(memory.get('maxmemory'))];
  const found = max > 0 ? `${percent(used / max)} of maxmemory` : 'no maxmemory is set';
  const evicts = 'It would drop stock and orders: CONFIG SET maxmemory-policy noeviction.';
  return [
    either(
      policy === 'noeviction',
      ok('eviction policy', policy),
      bad('eviction policy', policy, evicts),
    ),
    either(
      max === 0 || used <= FULL_SHARE * max,
      ok('Redis memory', found),
      bad(
        'Redis memory',
        found,
        `Holds are refused above ${percent(FULL_SHARE)}: raise maxmemory.`,
      ),
    ),
  ];
}

async function checkSettings(redis: Redis): Promise<Check[]> {
  const [appendonly, flags] = [
    await settingOf(redis, 'appendonly'),
    await settingOf(redis, 'notify-keyspace-events'),
  ];
  const notes = 'Expired holds come back within 1 s by the sweeper alone; set it to Ex for sooner.';
  const isNotifying = flags?.includes('E') && /[xA]/.test(flags);
  return [
    either(
      appendonly === 'yes',
      ok('Redis AOF', 'on'),
      warn(
        'Redis AOF',
        appendonly === 'no' ? 'off' : 'not told',
        'A restart loses the holds of the last moments and costs a rebuild: appendonly yes.',
      ),
    ),
    either(
      isNotifying === true,
      ok('keyspace events', flags ?? ''),
      warn('keyspace events', flags === '' ? 'off' : (flags ?? 'not told'), notes),
    ),
  ];
}

/** What Redis is and how it is set. */
export async function checkRedisServer(redis: Redis): Promise<Check[]> {
  const server = parseInfo(await redis.info('server'));
  const { name, version } = versionOf(server);
  const role = parseInfo(await redis.info('replication')).get('role') ?? '?';
  const needed = `Holdfast needs Redis ${MAJOR_MIN}.0 or later, or Valkey.`;
  const isNew = Number.parseInt(version, 10) >= MAJOR_MIN;
  const replica = 'A replica takes no writes: REDIS_URL must name the primary.';
  return [
    either(isNew, ok(name, version), bad(name, version, needed)),
    either(role === 'master', ok('Redis role', role), bad('Redis role', role, replica)),
    ...(await checkAnswers(redis)),
    ...checkMemory(parseInfo(await redis.info('memory'))),
    ...(await checkSettings(redis)),
  ];
}
