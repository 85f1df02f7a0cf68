import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { ALL_ROLES } from '../world.ts';
import { HOLDS_LOST, NOTHING_LOST, REDIS_LOSES, type Row } from './row.ts';

const world = { processes: [ALL_ROLES, ALL_ROLES] };

export const redisSigkill: Row = {
  name: 'redis-sigkill',
  what: 'Redis is killed and started on its append-only file (everysec), twice',
  expected: 'the lanes reopen; what was lost is within the second that everysec may lose',
  declared: HOLDS_LOST,
  rules: REDIS_LOSES,
  world,
  crowd: true,
  composable: true,
  strike: async ({ world, sale, isShort, recovered }) => {
    for (let times = isShort ? 1 : 2; times > 0; times -= 1) {
      await world.redis.process.kill();
      await pause(300);
      await world.redis.start();
      await recovered();
      if (times > 1) await sale.more(0.2);
    }
  },
};

const epochOf = (control: Redis) => control.hget('hf:{0}:lane', 'epoch');

export const restartLostNothing: Row = {
  name: 'restart-lost-nothing',
  what: 'all connections to Redis are cut; Redis is stopped in good order and started again',
  expected: 'drained and reopened under the same epoch; nothing is rebuilt, nothing discarded',
  rules: NOTHING_LOST,
  world,
  crowd: true,
  composable: true,
  strike: async ({ world, sale, recovered, broken }) => {
    const before = await epochOf(world.control);
    await world.control.call('CLIENT', 'KILL', 'TYPE', 'normal');
    await recovered();
    await sale.more(0.1);
    await world.redis.process.end();
    await world.redis.start();
    await recovered();
    const after = await epochOf(world.control);
    if (after !== before) broken(`the epoch went from ${before} to ${after}`);
  },
};

export const flushall: Row = {
  name: 'flushall',
  what: 'FLUSHALL, twice',
  expected: 'the lane closes, is rebuilt from MySQL under a new epoch, and opens',
  declared: HOLDS_LOST,
  rules: REDIS_LOSES,
  world,
  crowd: true,
  composable: true,
  strike: async ({ world, sale, isShort, recovered }) => {
    for (let times = isShort ? 1 : 2; times > 0; times -= 1) {
      await world.control.flushall();
      await recovered();
      if (times > 1) await sale.more(0.2);
    }
  },
};

export const oldSnapshotRestored: Row = {
  name: 'old-snapshot-restored',
  what: 'Redis is killed and started on a copy of its data from earlier in the sale',
  expected: 'the lane stays closed until it is rebuilt under a new epoch',
  declared: HOLDS_LOST,
  rules: REDIS_LOSES,
  world,
  crowd: true,
  composable: true,
  strike: async ({ world, sale, recovered }) => {
    const older = join(world.folder, 'redis.older');
    await world.redis.copyData(older);
    await sale.more(0.25);
    await world.redis.process.kill();
    await world.redis.replaceData(older);
    await world.redis.start();
    await recovered();
  },
};

const DUMP = `
local out = {}
for _, key in ipairs(redis.call('KEYS', '*')) do
  out[#out + 1] = key
  out[#out + 1] = redis.call('DUMP', key)
  out[#out + 1] = redis.call('PEXPIRETIME', key)
end
return out`;

/** All data of one moment, as a backup would have it. */
async function dumpAll(control: Redis): Promise<[Buffer, Buffer, number][]> {
  const flat = (await control.callBuffer('EVAL', DUMP, '0')) as (Buffer | number)[];
  const dumps: [Buffer, Buffer, number][] = [];
  for (let at = 0; at < flat.length; at += 3) {
    const [key, bytes, expiresAtMs] = flat.slice(at, at + 3);
    dumps.push([key as Buffer, bytes as Buffer, Number(expiresAtMs)]);
  }
  return dumps;
}

/** In one step: nobody sees the server empty. */
async function putBack(control: Redis, dumps: [Buffer, Buffer, number][]): Promise<void> {
  const step = control.multi().flushall();
  for (const [key, bytes, expiresAtMs] of dumps) {
    step.restore(key, Math.max(0, expiresAtMs), bytes, 'REPLACE', 'ABSTTL');
  }
  await step.exec();
}

export const oldSnapshotOvertaken: Row = {
  name: 'old-snapshot-overtaken',
  what: 'older data is put back under the running server, and traffic goes on at once, twice',
  expected: 'the chain breaks before anything is acknowledged; rebuilt under a new epoch',
  declared: HOLDS_LOST,
  rules: REDIS_LOSES,
  world,
  crowd: true,
  composable: true,
  strike: async ({ world, sale, isShort, recovered }) => {
    for (let times = isShort ? 1 : 2; times > 0; times -= 1) {
      const dumps = await dumpAll(world.control);
      await sale.more(0.15);
      await putBack(world.control, dumps);
      await recovered();
    }
  },
};
