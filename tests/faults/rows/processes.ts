import { setTimeout as pause } from 'node:timers/promises';
import { pick } from '../random.ts';
import { ALL_ROLES } from '../world.ts';
import { NOTHING_LOST, type Row, type Stage } from './row.ts';

const TWO_OF_ALL = { processes: [ALL_ROLES, ALL_ROLES] };
const STOP_MS_MAX = 20_000;
const ENDED_MS = 300;

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
      const serve = pick(random, world.running());
      await serve.process.kill();
      await recovered();
      await sale.more(0.05);
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
      const serve = pick(random, world.running());
      serve.process.signal('SIGSTOP');
      await pause(isShort ? 1_500 : 3_000);
      serve.process.signal('SIGCONT');
      await recovered();
      if (times > 1) await sale.more(0.1);
    }
  },
};

/** Requests to these URLs that began in that time and got no answer, though they were accepted. */
function unanswered({ sale }: Stage, url: string, sinceMs: number): string[] {
  return sale.history.operations.flatMap(({ attempts, request }) =>
    attempts
      .filter((it) => it.url === url && it.endedAtMs >= sinceMs && it.status === 0)
      .filter(({ error = '' }) => !/ECONNREFUSED|on a kept connection/.test(error))
      .map(({ error }) => `a ${request.kind} was not answered while its process stopped: ${error}`),
  );
}

export const sigterm: Row = {
  name: 'sigterm',
  what: 'a rolling restart under load: a new process starts, an old one gets SIGTERM, twice',
  expected: 'no request is left without an answer, and each process ends by itself with code 0',
  rules: NOTHING_LOST,
  world: TWO_OF_ALL,
  crowd: true,
  composable: true,
  strike: async (stage) => {
    const { world, sale, recovered, broken } = stage;
    for (const old of world.running()) {
      await world.addServe(old.roles);
      const sinceMs = Date.now();
      old.process.signal('SIGTERM');
      const startedAt = performance.now();
      while (old.process.isRunning && performance.now() - startedAt < STOP_MS_MAX) await pause(10);
      const how = old.process.running.ended() ?? 'not at all';
      if (how !== 'exit code 0') broken(`a process ended ${how} after SIGTERM`);
      // What was under way to it has come to its end by then, too.
      await pause(ENDED_MS);
      for (const text of unanswered(stage, old.url, sinceMs)) broken(text);
      await recovered();
      await sale.more(0.1);
    }
  },
};
