import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { outcomeOf } from '../history.ts';
import { whole } from '../random.ts';
import { ALL_ROLES } from '../world.ts';
import { NOTHING_LOST, type Row, type Stage } from './row.ts';

const world = { processes: [ALL_ROLES, ALL_ROLES] };
/** Longer than committed entries stay in the outbox: what the copy lacks cannot be drained again. */
const OLDER_BY_MS = 8_000;
const WRONG_FOR_MS = 5_000;
const CLOSES_WITHIN_MS = 5_000;
const LOSES_WITHIN_MS = 10_000;

const probeHold = ({ sale, probe }: Stage, name: string) => {
  const items = [{ product_id: probe.id, qty: 1 }];
  return sale.ask('prober', { kind: 'hold', items, buyer: name });
};

export const mysqlSigkill: Row = {
  name: 'mysql-sigkill',
  what: 'MySQL is killed during commits and started again, three times',
  expected: 'each transition has its effect exactly once',
  rules: NOTHING_LOST,
  world,
  crowd: true,
  composable: true,
  strike: async ({ world, sale, isShort, recovered }) => {
    for (let times = isShort ? 1 : 3; times > 0; times -= 1) {
      await world.mysql.process.kill();
      await world.mysql.start();
      await recovered();
      if (times > 1) await sale.more(0.1);
    }
  },
};

export const mysqlDown: Row = {
  name: 'mysql-down',
  what: 'MySQL is down for 60 s under load',
  expected: 'holds go on; orders and payments are answered 503; everything drains afterwards',
  rules: NOTHING_LOST,
  world,
  crowd: true,
  composable: true,
  strike: async (stage) => {
    const { world, isShort, recovered, broken } = stage;
    const downMs = isShort ? 4_000 : 60_000;
    await world.mysql.process.kill();
    for (let looks = 4; looks > 0; looks -= 1) {
      await pause(downMs / 4);
      const hold = await probeHold(stage, `down-${looks}`);
      if (outcomeOf(hold) !== 'ok') {
        broken(`a hold was answered ${hold.attempts[0]?.status} while MySQL was down`);
      }
    }
    await world.mysql.start();
    await recovered();
  },
};

export const commitReplyLost: Row = {
  name: 'commit-reply-lost',
  what: 'MySQL commits, and its answer is lost with the connection, 15 times',
  expected: 'each transition has its effect exactly once',
  rules: NOTHING_LOST,
  world: { ...world, mysqlByWay: true },
  crowd: true,
  strike: async ({ world: { mysqlWay }, random, isShort, recovered }) => {
    for (let times = isShort ? 5 : 15; times > 0; times -= 1) {
      const isLost = await Promise.race([
        mysqlWay?.loseAnswerTo('COMMIT').then(() => true),
        pause(LOSES_WITHIN_MS, false),
      ]);
      if (!isLost) throw new Error('nothing was committed whose answer could be lost');
      await pause(whole(random, 20, 300));
    }
    await recovered();
  },
};

interface Kept {
  epoch: string | null;
  entries: number;
  keys: number;
}

async function redisHas({ world: { control } }: Stage): Promise<Kept> {
  const epoch = await control.hget('hf:{0}:lane', 'epoch');
  const entries = await control.xlen('hf:{0}:outbox');
  const keys = await control.exists('hf:{0}:product:1', 'hf:{0}:product:2', 'hf:catalog');
  return { epoch, entries, keys };
}

/** The wrong MySQL answers for some seconds: nobody may be sold anything, nothing may be erased. */
async function watchWrongMysql(stage: Stage, before: Kept): Promise<void> {
  const { broken } = stage;
  await pause(CLOSES_WITHIN_MS);
  for (let looks = 10; looks > 0; looks -= 1) {
    const hold = await probeHold(stage, `wrong-${looks}`);
    const status = hold.attempts[0]?.status;
    if (status !== 503) broken(`a hold was answered ${status} with the wrong MySQL`);
    await pause(WRONG_FOR_MS / 10);
  }
  const after = await redisHas(stage);
  if (after.epoch !== before.epoch) broken(`the epoch went from ${before.epoch} to ${after.epoch}`);
  if (after.keys !== before.keys || after.entries === 0) {
    broken(`Redis had ${JSON.stringify(before)} and has ${JSON.stringify(after)}`);
  }
}

async function swapAndBack(stage: Stage, other: string, meanwhile: () => Promise<void>) {
  const { world, recovered } = stage;
  const right = join(world.folder, 'mysql.right');
  const before = await redisHas(stage);
  await world.mysql.process.kill();
  await world.mysql.swapData(other, right);
  await world.mysql.start();
  try {
    await meanwhile();
    await watchWrongMysql(stage, before);
  } finally {
    await world.mysql.process.kill();
    await world.mysql.swapData(right, `${other}.wrong`);
    await world.mysql.start();
  }
  await recovered();
}

export const mysqlOlderCopy: Row = {
  name: 'mysql-older-copy',
  what: 'MySQL comes back as a copy that lacks the last seconds of commits; later the right one',
  expected: 'the lane stays closed and nothing is erased; with the right one the sale goes on',
  rules: NOTHING_LOST,
  world,
  crowd: true,
  strike: async (stage) => {
    const older = join(stage.world.folder, 'mysql.older');
    await stage.world.mysql.copyData(older);
    await pause(OLDER_BY_MS);
    await swapAndBack(stage, older, async () => {});
  },
};

export const mysqlEmpty: Row = {
  name: 'mysql-empty',
  what: 'MYSQL_URL leads to an empty database, and a new process starts on it; later the right one',
  expected: 'the new process refuses to start, the lane stays closed, nothing is erased',
  rules: NOTHING_LOST,
  world,
  crowd: true,
  strike: async (stage) => {
    const { world, broken } = stage;
    const empty = join(world.folder, 'mysql.empty');
    await cp(world.emptyMysqlData, empty, { recursive: true });
    await swapAndBack(stage, empty, async () => {
      const started = await world.addServe(ALL_ROLES).then(
        () => true,
        () => false,
      );
      if (started) broken('a process started on an empty database beside a Redis full of data');
    });
  },
};
