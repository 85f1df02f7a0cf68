import type { Bench, Contender, Question } from '../contenders/contender.ts';
import { comparison, type Target, twoDigits } from '../report.ts';
import { type Result, ratio, runRounds } from '../rounds.ts';
import type { Case } from './case.ts';

/** Ratios of a contender against `bare`, or against the row lock. */
export const cpuRatio = (results: Result[], name: string, against: string): number =>
  ratio(results, name, against, ({ apiUs }) => apiUs);
export const speedRatio = (results: Result[], name: string, against: string): number =>
  ratio(results, name, against, ({ perSecond }) => perSecond);

interface Comparison {
  name: string;
  what: string;
  title: string;
  question: Question;
  contenders: Contender[];
  targets: (results: Result[]) => Target[];
}

/** Those that are wanted, each Holdfast followed by that of the other checkout, if there is one. */
export function entrants({ wants, against }: Bench, contenders: readonly Contender[]): Contender[] {
  return contenders
    .filter((it) => wants(it.name))
    .flatMap((it) => (against && it.inCheckout ? [it, it.inCheckout(against)] : [it]));
}

/** A case that asks several contenders the same question. */
export function compare(options: Comparison): Case {
  const { name, what, title, question, contenders, targets } = options;
  return {
    name,
    what,
    run: async (bench, plan) => {
      const results = await runRounds(bench, entrants(bench, contenders), question, plan);
      const against: Record<string, (result: Result) => string> = {
        'x bare': (it) => twoDigits(speedRatio(results, it.name, 'bare')),
        'CPU x bare': (it) => twoDigits(cpuRatio(results, it.name, 'bare')),
      };
      if (contenders.some((it) => it.name === 'row lock')) {
        against['x row lock'] = (it) => twoDigits(speedRatio(results, it.name, 'row lock'));
      }
      const legend = results.map((it) => `${it.name}: ${it.what}`).join('. ');
      const { rounds, seconds, connections } = plan;
      const plural = rounds === 1 ? 'round' : 'rounds';
      return {
        title,
        notes: [
          `${connections} connections, medians of ${rounds} ${plural} of ${seconds} s in turn. ${legend}.`,
        ],
        ...comparison(results, against),
        targets: targets(results).filter((it) => !Number.isNaN(it.measured)),
        json: results,
      };
    },
  };
}
