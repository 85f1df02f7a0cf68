import { setTimeout as pause } from 'node:timers/promises';
import { pick } from '../random.ts';
import { ALL_ROLES } from '../world.ts';
import { HOLDS_LOST, REDIS_LOSES, type Row, type Stage } from './row.ts';

/** Live holds, so that a rebuild takes long enough to be hit. */
const HOLDS = 2_500;
const AT_ONCE = 100;
const HOLD_TTL_SECONDS = 15;
const TRIES_MAX = 16;
const OVERTAKEN_TIMES = 4;
/** Afterwards the stopped one gives up by itself, and nothing would be tested. */
const RESUMED_AFTER_MS = 1_750;

/** Lanes are looked at once a second. */
const SUSPICION_MS = 1_500;

const LANE = 'hf:{0}:lane';

async function takeHolds({ sale }: Stage): Promise<void> {
  const { id } = await sale.create('ballast', HOLDS * 2, { hold_ttl_seconds: HOLD_TTL_SECONDS });
  const items = [{ product_id: id, qty: 1 }];
  let left = HOLDS;
  const runner = async () => {
    while (left > 0) {
      left -= 1;
      await sale.ask('ballast', { kind: 'hold', items, buyer: `ballast-${left}` }, 1);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, runner));
}

async function until(limitMs: number, look: () => Promise<boolean>): Promise<boolean> {
  const giveUpAt = performance.now() + limitMs;
  while (performance.now() < giveUpAt) {
    if (await look()) return true;
    await pause(1);
  }
  return false;
}

/** Whether a rebuild was begun again while one of the processes was stopped, and came to its end. */
async function overtake(stage: Stage): Promise<boolean> {
  const { world, random } = stage;
  const { control } = world;
  const stateIs = (wanted: string) => async () => (await control.hget(LANE, 'state')) === wanted;
  const serve = pick(random, world.running());
  // With everything else still there, so that there is much to wipe.
  await control.del(LANE);
  if (!(await until(10_000, stateIs('rebuilding')))) return false;
  serve.process.signal('SIGSTOP');
  const stoppedAt = performance.now();
  try {
    const epoch = await control.hget(LANE, 'epoch');
    await world.mysql.cutConnections();
    const isOpen = await until(RESUMED_AFTER_MS, stateIs('open'));
    await pause(Math.max(0, RESUMED_AFTER_MS - (performance.now() - stoppedAt)));
    return isOpen && (await control.hget(LANE, 'epoch')) !== epoch;
  } finally {
    serve.process.signal('SIGCONT');
  }
}

/** What the resumed one did must not have made the lane suspect again. */
async function checkNoMoreRebuilds({ world: { control }, broken }: Stage): Promise<void> {
  const [state, epoch] = await control.hmget(LANE, 'state', 'epoch');
  await pause(SUSPICION_MS);
  const after = await control.hmget(LANE, 'state', 'epoch');
  if (after[0] !== state || after[1] !== epoch) {
    broken(`the lane was ${state} in epoch ${epoch}, and then ${after[0]} in epoch ${after[1]}`);
  }
}

export const rebuilderPaused: Row = {
  name: 'rebuilder-paused',
  what: 'a process is stopped in the middle of a rebuild and loses its lock in MySQL, another one rebuilds, and it is resumed',
  expected: 'the first one is refused by its epoch',
  declared: HOLDS_LOST,
  rules: REDIS_LOSES,
  world: { processes: [ALL_ROLES, ALL_ROLES] },
  crowd: true,
  strike: async (stage) => {
    await takeHolds(stage);
    let [times, tries] = [0, 0];
    while (times < OVERTAKEN_TIMES && tries < TRIES_MAX) {
      tries += 1;
      const isOvertaken = await overtake(stage);
      await stage.recovered();
      if (!isOvertaken) continue;
      times += 1;
      await checkNoMoreRebuilds(stage);
    }
    stage.note(`${times} rebuilds were overtaken, of ${tries}`);
    if (times === 0) stage.broken('no rebuild was overtaken: nothing was tested');
  },
};
