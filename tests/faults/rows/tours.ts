import { pick, whole } from '../random.ts';
import { ALL_ROLES } from '../world.ts';
import { HOLDS_LOST, NOTHING_LOST, REDIS_LOSES, type Row, type Stage } from './row.ts';

// Several faults in one long sale. What the rows need of their world must be in this one.
const world = { processes: [ALL_ROLES, ALL_ROLES], redisByWay: true };

const PAUSE_SHARE_MIN = 2;
const PAUSE_SHARE_MAX = 12;

/** One fault of a tour: what goes wrong is told with its name, and the tour goes on. */
async function strikeOne(stage: Stage, row: Row): Promise<void> {
  const { broken, note, say } = stage;
  say(`  ${row.name} ...`);
  const named = {
    broken: (text: string) => broken(`${row.name}: ${text}`),
    note: (text: string) => note(`${row.name}: ${text}`),
  };
  await row.strike({ ...stage, ...named }).catch((error: Error) => named.broken(error.message));
}

/** These faults one after the other, in one sale. */
export function tourOf(name: string, rows: readonly Row[]): Row {
  const losesData = rows.some(({ rules }) => rules.redisLosesData);
  return {
    name,
    what: rows.map((row) => row.name).join(', '),
    expected: 'heals after each',
    ...(losesData ? { declared: HOLDS_LOST } : {}),
    rules: losesData ? REDIS_LOSES : NOTHING_LOST,
    world,
    crowd: true,
    strike: async (stage) => {
      for (const row of rows) {
        await strikeOne(stage, row);
        await stage.sale.more(0.02);
      }
    },
  };
}

/** Faults at random, by the seed, for so many minutes. */
export function randomTour(rows: readonly Row[], minutes: number): Row {
  const composable = rows.filter((row) => row.composable);
  return {
    name: 'random',
    minutes,
    what: `faults at random for ${minutes} min, of ${composable.map((row) => row.name).join(', ')}`,
    expected: 'heals after each; drift 0',
    declared: HOLDS_LOST,
    rules: REDIS_LOSES,
    world,
    crowd: true,
    strike: async (stage) => {
      const endsAt = performance.now() + minutes * 60_000;
      let count = 0;
      while (performance.now() < endsAt) {
        await strikeOne({ ...stage, isShort: true }, pick(stage.random, composable));
        count += 1;
        const share = whole(stage.random, PAUSE_SHARE_MIN, PAUSE_SHARE_MAX) / 100;
        await stage.sale.more(share);
      }
      stage.note(`${count} faults`);
    },
  };
}
