import { setTimeout as pause } from 'node:timers/promises';
import type { Kind } from '../history.ts';
import { whole } from '../random.ts';
import { ALL_ROLES } from '../world.ts';
import { NOTHING_LOST, type Row, type Stage } from './row.ts';

const world = { processes: [ALL_ROLES, ALL_ROLES], redisByWay: true };
const ANSWERED_WITHIN_MS = 2_000;
/** Who waits for a commit that makes its way waits longer. */
const COMMITTED_WITHIN_MS = 3_000;
const WAITING: readonly Kind[] = ['order', 'cancel', 'pay', 'restock'];
const LOSES_WITHIN_MS = 10_000;

const PACE_MS = 50;
const PACER = 'pacer';

/** Asks for what needs no server at all: how long that takes is the machine's own time. */
function keepPace({ sale }: Stage): { stop: () => void } {
  let stopped = false;
  const keep = async () => {
    while (!stopped) {
      await sale.ask(PACER, { kind: 'read', path: '/healthz' });
      await pause(PACE_MS);
    }
  };
  sale.later(keep());
  return {
    stop: () => {
      stopped = true;
    },
  };
}

interface Took {
  kind: Kind;
  isPacer: boolean;
  ms: number;
}

function tookIn({ sale }: Stage, fromMs: number, toMs: number): Took[] {
  return sale.history.operations.flatMap(({ client, request, attempts }) =>
    attempts
      .filter(({ invokedAtMs }) => invokedAtMs >= fromMs && invokedAtMs <= toMs)
      .map(({ invokedAtMs, endedAtMs }) => {
        return { kind: request.kind, isPacer: client === PACER, ms: endedAtMs - invokedAtMs };
      }),
  );
}

/** Requests that began in this time must have been answered, whatever the answer, in time. */
function checkAnswered(stage: Stage, fromMs: number, toMs: number, standsStill: boolean): void {
  const took = tookIn(stage, fromMs, toMs).sort((a, b) => b.ms - a.ms);
  const ownMs = took.find(({ isPacer }) => isPacer)?.ms ?? 0;
  const slowest = took.find(({ isPacer }) => !isPacer);
  stage.note(`slowest: ${slowest?.kind} in ${slowest?.ms} ms; without Redis, ${ownMs} ms`);
  const late = took.filter(({ isPacer, kind, ms }) => {
    const waits = !standsStill && WAITING.includes(kind);
    return !isPacer && ms > ownMs + (waits ? COMMITTED_WITHIN_MS : ANSWERED_WITHIN_MS);
  });
  for (const { kind, ms } of late) stage.broken(`${kind} was answered after ${ms} ms`);
}

/** Lets something be slow for a while, and looks at how requests were answered meanwhile. */
async function whileSlow(
  stage: Stage,
  forMs: number,
  standsStill: boolean,
  begin: () => void,
  end: () => void,
) {
  const pacer = keepPace(stage);
  const fromMs = Date.now();
  begin();
  await pause(forMs);
  const toMs = Date.now();
  end();
  await stage.recovered();
  pacer.stop();
  checkAnswered(stage, fromMs, toMs, standsStill);
}

export const redisSlow: Row = {
  name: 'redis-slow',
  what: 'Redis answers 0.2, 1 and 5 s late for 2 s each; then it is stopped for 5 s (SIGSTOP)',
  expected:
    'every request is answered within 2 s, only one that waits for a commit of a slow Redis within' +
    ' 3 s; no hold appears after its caller gave up',
  rules: { ...NOTHING_LOST, noLateHolds: true },
  world,
  crowd: true,
  composable: true,
  strike: async (stage) => {
    const { world, isShort } = stage;
    for (const delayMs of isShort ? [1_000] : [200, 1_000, 5_000]) {
      // Half on the way there, half on the way back.
      const begin = () => world.way?.delay(delayMs / 2);
      await whileSlow(stage, 2_000, false, begin, () => world.way?.delay(0));
    }
    const signal = (name: NodeJS.Signals) => () => world.redis.process.signal(name);
    const stopsForMs = isShort ? 3_000 : 5_000;
    await whileSlow(stage, stopsForMs, true, signal('SIGSTOP'), signal('SIGCONT'));
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
      // Every other time that of a batch of holds, which alone has lists in a list.
      const texts = times % 2 === 0 ? ['[['] : [];
      const isLost = await Promise.race([
        way?.loseAnswerTo('evalsha', ':lane', ...texts).then(() => true),
        pause(LOSES_WITHIN_MS, false),
      ]);
      if (!isLost) throw new Error('no script was sent that could lose its reply');
      await pause(whole(random, 20, 200));
    }
    await recovered();
  },
};
