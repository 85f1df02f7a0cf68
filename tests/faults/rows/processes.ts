import { setTimeout as pause } from 'node:timers/promises';
import { pick } from '../random.ts';
import { ALL_ROLES } from '../world.ts';
import { NOTHING_LOST, type Row } from './row.ts';

const TWO_OF_ALL = { processes: [ALL_ROLES, ALL_ROLES] };

export const apiSigkill: Row = {
  name: 'api-sigkill',
  what: 'one of two processes with all roles is killed mid-request and started again, three times',
  expected: 'retries at the other one converge on one result',
  rules: NOTHING_LOST,
  world: TWO_OF_ALL,
  crowd: true,
  composable: true,
  strike: async ({ world, sale, random, isShort, recovered }) => {
    for (let times = isShort ? 1 : 3; times > 0; times -= 1) {
      const serve = pick(random, world.serves);
      await serve.process.kill();
      await recovered();
      await sale.more(0.1);
      await serve.start();
      if (times > 1) await sale.more(0.1);
    }
  },
};

export const apiSigstop: Row = {
  name: 'api-sigstop',
  what: 'one of two processes with all roles is stopped for 3 s mid-request, three times',
  expected: 'what it had begun is done once, or not at all; retries converge',
  rules: NOTHING_LOST,
  world: TWO_OF_ALL,
  crowd: true,
  composable: true,
  strike: async ({ world, sale, random, isShort, recovered }) => {
    for (let times = isShort ? 1 : 3; times > 0; times -= 1) {
      const serve = pick(random, world.serves);
      serve.process.signal('SIGSTOP');
      await pause(isShort ? 1_500 : 3_000);
      serve.process.signal('SIGCONT');
      await recovered();
      if (times > 1) await sale.more(0.1);
    }
  },
};
