import { holdfast, holdfastApart } from '../contenders/holdfast-setups.ts';
import { rowLock } from '../contenders/row-lock.ts';
import type { Counted } from '../load/tally.ts';
import { lineChart } from '../plot.ts';
import { comparison, type Report, twoDigits, whole } from '../report.ts';
import { type Drive, type Result, runRounds } from '../rounds.ts';
import { type Case, scaled } from './case.ts';
import { entrants, measuredOf, speedRatio } from './compare.ts';

const SECONDS = 60;
/** A second is told when it is over. */
const SECONDS_MIN = 2;
const STORED_SECONDS_MAX = 2;
const ROW_LOCK_TIMES = 10;

const holdsPerSecond = ({ statuses, elapsedMs }: Counted) =>
  ((statuses[201] ?? 0) * 1_000) / elapsedMs;

function chart(courses: ReadonlyMap<string, Counted[]>): string {
  return lineChart({
    title: 'Accepted holds, second by second',
    x: { label: 'second' },
    y: { label: 'holds a second' },
    series: [...courses].map(([name, seconds]) => ({
      name,
      points: seconds.map((it, index) => [index + 1, holdsPerSecond(it)]),
    })),
  });
}

function targetsOf(results: Result[]): Report['targets'] {
  const stored = results
    .filter(({ name }) => name !== rowLock.name)
    .map(({ name, medians }) => ({
      what: `${name}: from the last answer until all is stored`,
      measured: medians.storedAfterMs / 1_000,
      atMost: STORED_SECONDS_MAX,
      unit: 's',
    }));
  const faster = {
    what: `${holdfast.name}: accepted holds, against the row lock`,
    measured: speedRatio(results, holdfast.name, rowLock.name),
    atLeast: ROW_LOCK_TIMES,
    unit: 'x',
  };
  return measuredOf([faster, ...stored]);
}

/** Whether the pace of two seconds is the pace of a minute. */
export const sustained: Case = {
  name: 'sustained',
  what: `accepted holds for ${SECONDS} s on end, persisted meanwhile`,
  isLong: true,
  run: async (bench, plan) => {
    const seconds = Math.max(SECONDS_MIN, scaled(SECONDS, plan));
    const courses = new Map<string, Counted[]>();
    // The measured run replaces the one that warmed up.
    const drive: Drive = (load, name) => {
      const course: Counted[] = [];
      courses.set(name, course);
      return bench.generator.watch(load, (second) => void course.push(second));
    };
    const contenders = entrants(bench, [rowLock, holdfast, holdfastApart]);
    const once = { ...plan, rounds: 1, seconds };
    const results = await runRounds(bench, contenders, 'hold', once, drive);
    const slowest = (name: string) => Math.min(...(courses.get(name) ?? []).map(holdsPerSecond));
    return {
      title: 'Accepted holds for a minute',
      notes: [
        `${plan.connections} connections, one round of ${seconds} s each. Stored after: from the ` +
          'last answer until MySQL has every hold that was accepted.',
      ],
      ...comparison(results, {
        'slowest second': ({ name }) => whole(slowest(name)),
        'stored after s': ({ medians }) => twoDigits(medians.storedAfterMs / 1_000),
        'x row lock': ({ name }) => twoDigits(speedRatio(results, name, rowLock.name)),
      }),
      targets: targetsOf(results),
      plots: [
        {
          name: 'sustained',
          alt: 'Accepted holds of Holdfast and of the row lock in each second of the run',
          svg: chart(courses),
        },
      ],
      json: { results, courses: Object.fromEntries(courses) },
    };
  },
};
