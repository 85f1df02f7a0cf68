import { bare } from '../contenders/baselines.ts';
import { holdfast, holdfastApart } from '../contenders/holdfast-setups.ts';
import { rowLock } from '../contenders/row-lock.ts';
import { lineChart } from '../plot.ts';
import { oneDigit, type Plot, whole } from '../report.ts';
import { type Figures, type Result, runRounds } from '../rounds.ts';
import type { Case } from './case.ts';
import { entrants, legendOf, measuredOf } from './compare.ts';
import { holdTargets } from './hold-targets.ts';

const COUNTS = [1, 4, 16, 64, 256];
const MOST = 256;

/** What so many connections reached. */
interface Level {
  connections: number;
  results: Result[];
}

const nameOf = ({ name }: { name: string }) => name;

function figureOf({ results }: Level, name: string, figure: keyof Figures): number {
  return results.find((it) => it.name === name)?.medians[figure] ?? Number.NaN;
}

function plotsOf(levels: Level[], names: string[]): Plot[] {
  const x = { label: 'connections', log: true };
  const seriesOf = (figure: keyof Figures) =>
    names.map((name) => ({
      name,
      points: levels.map((level): [number, number] => [
        level.connections,
        figureOf(level, name, figure),
      ]),
    }));
  const speed = 'Accepted holds a second, by connections';
  const waiting = 'How long 99 of 100 holds take at most, by connections';
  return [
    {
      name: 'connections-holds',
      alt: speed,
      svg: lineChart({
        title: speed,
        x,
        y: { label: 'accepted holds a second' },
        series: seriesOf('perSecond'),
      }),
    },
    {
      name: 'connections-p99',
      alt: waiting,
      svg: lineChart({
        title: waiting,
        x,
        y: { label: 'p99, ms', log: true },
        series: seriesOf('p99Ms'),
      }),
    },
  ];
}

/** How accepted holds grow with the buyers that ask at the same time, and how long these wait. */
export const connections: Case = {
  name: 'connections',
  what: `accepted holds from ${COUNTS[0]} to ${MOST} connections`,
  isLong: true,
  run: async (bench, plan, say) => {
    const contenders = entrants(bench, [bare, rowLock, holdfast, holdfastApart]);
    const names = contenders.map(nameOf);
    const levels: Level[] = [];
    for (const count of COUNTS) {
      say(`connections: ${count} ...`);
      const results = await runRounds(bench, contenders, 'hold', { ...plan, connections: count });
      levels.push({ connections: count, results });
    }
    const most = levels.find((it) => it.connections === MOST)?.results ?? [];
    const rowOf = (name: string, what: string, figure: keyof Figures, show = whole) => [
      `${name}, ${what}`,
      ...levels.map((level) => show(figureOf(level, name, figure))),
    ];
    const plural = plan.rounds === 1 ? 'round' : 'rounds';
    return {
      title: 'Accepted holds, by connections',
      notes: [
        `Medians of ${plan.rounds} ${plural} of ${plan.seconds} s in turn. ${legendOf(most)}`,
      ],
      head: ['connections', ...COUNTS.map(whole)],
      rows: [
        ...names.map((name) => rowOf(name, 'holds/s', 'perSecond')),
        ...names.map((name) => rowOf(name, 'p99 ms', 'p99Ms', oneDigit)),
      ],
      targets: measuredOf(holdTargets(most)).map((it) => ({
        ...it,
        what: `${MOST} connections: ${it.what}`,
      })),
      plots: plotsOf(levels, names),
      json: levels,
    };
  },
};
