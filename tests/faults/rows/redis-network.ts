import { setTimeout as pause } from 'node:timers/promises';
import { whole } from '../random.ts';
import { ALL_ROLES } from '../world.ts';
import { NOTHING_LOST, type Row, type Stage } from './row.ts';

const world = { processes: [ALL_ROLES, ALL_ROLES], redisByWay: true };
const ANSWERED_WITHIN_MS = 2_000;
/** The clients share two cores with everything else. */
const CLIENT_SLACK_MS = 250;
const LOSES_WITHIN_MS = 10_000;

/** Requests that began in this time must have been answered, whatever the answer, in time. */
function checkAnswered({ sale, broken, note }: Stage, fromMs: number, toMs: number): void {
  const during = sale.history.operations
    .flatMap(({ attempts }) => attempts)
    .filter(({ invokedAtMs }) => invokedAtMs >= fromMs && invokedAtMs <= toMs);
  const slowest = Math.max(0, ...during.map((it) => it.endedAtMs - it.invokedAtMs));
  note(`slowest answer ${slowest} ms of ${during.length}`);
  if (slowest > ANSWERED_WITHIN_MS + CLIENT_SLACK_MS) {
    const late = during.filter((it) => it.endedAtMs - it.invokedAtMs > ANSWERED_WITHIN_MS);
    broken(`${late.length} requests took over 2 s, the slowest ${slowest} ms`);
  }
}

export const redisSlow: Row = {
  name: 'redis-slow',
  what: 'Redis answers 0.2, 1 and 5 s late for 2 s each; then it is stopped for 5 s (SIGSTOP)',
  expected: 'every request is answered within 2 s, and no hold appears after its caller gave up',
  rules: { ...NOTHING_LOST, noLateHolds: true },
  world,
  crowd: true,
  composable: true,
  strike: async (stage) => {
    const { world, isShort, recovered } = stage;
    for (const delayMs of isShort ? [1_000] : [200, 1_000, 5_000]) {
      const fromMs = Date.now();
      // Half on the way there, half on the way back.
      world.way?.delay(delayMs / 2);
      await pause(2_000);
      world.way?.delay(0);
      const toMs = Date.now();
      await recovered();
      checkAnswered(stage, fromMs, toMs);
    }
    const fromMs = Date.now();
    world.redis.process.signal('SIGSTOP');
    await pause(isShort ? 3_000 : 5_000);
    const toMs = Date.now();
    world.redis.process.signal('SIGCONT');
    await recovered();
    checkAnswered(stage, fromMs, toMs);
  },
};

export const replyDropped: Row = {
  name: 'reply-dropped',
  what: 'the reply to a script is lost and its connection breaks, 25 times',
  expected: 'the retry gets what the script did',
  rules: NOTHING_LOST,
  world,
  crowd: true,
  composable: true,
  strike: async ({ world: { way }, random, isShort, recovered }) => {
    for (let times = isShort ? 8 : 25; times > 0; times -= 1) {
      const isLost = await Promise.race([
        way?.loseAnswerTo('evalsha', ':lane').then(() => true),
        pause(LOSES_WITHIN_MS, false),
      ]);
      if (!isLost) throw new Error('no script was sent that could lose its reply');
      await pause(whole(random, 20, 200));
    }
    await recovered();
  },
};
