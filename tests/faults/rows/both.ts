import { setTimeout as pause } from 'node:timers/promises';
import { ALL_ROLES } from '../world.ts';
import { HOLDS_LOST, REDIS_LOSES, type Row } from './row.ts';

/** Less than the lag at which orders are refused: some are under way. */
const STALLS_MS = 700;

export const bothLost: Row = {
  name: 'both-lost',
  what: 'MySQL stalls and is killed before it commits; Redis loses everything meanwhile; three times',
  expected: 'nobody was told of an order that neither of them has',
  declared: HOLDS_LOST,
  rules: REDIS_LOSES,
  world: { processes: [ALL_ROLES, ALL_ROLES] },
  crowd: true,
  composable: true,
  strike: async ({ world, sale, isShort, recovered }) => {
    for (let times = isShort ? 1 : 3; times > 0; times -= 1) {
      world.mysql.process.signal('SIGSTOP');
      await pause(STALLS_MS);
      await world.control.flushall();
      await world.mysql.process.kill();
      await world.mysql.start();
      await recovered();
      if (times > 1) await sale.more(0.1);
    }
  },
};
