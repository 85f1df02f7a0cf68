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
  /** Said before who is who. */
  note?: string;
}

/** Those that are wanted, each Holdfast followed by that of the other checkout, if there is one. */
export function entrants({ wants, against }: Bench, contenders: readonly Contender[]): Contender[] {
  return contenders
    .filter((it) => wants(it.name))
    .flatMap((it) => (against && it.inCheckout ? [it, it.inCheckout(against)] : [it]));
}

/** Without those whose contenders did not take part. */
export const measuredOf = (targets: readonly Target[]): Target[] =>
  targets.filter((it) => !Number.isNaN(it.measured));

/** Who is who in a table. */
export const legendOf = (results: readonly Result[]): string =>
  `${results.map((it) => `${it.name}: ${it.what}`).join('. ')}.`;

// Against those that the case asks, too.
function ratiosOf(results: Result[], contenders: readonly Contender[]) {
  const ratios: Record<string, (result: Result) => string> = {};
  const isAsked = (name: string) => contenders.some((it) => it.name === name);
  if (isAsked('bare')) {
    ratios['x bare'] = ({ name }) => twoDigits(speedRatio(results, name, 'bare'));
    ratios['CPU x bare'] = ({ name }) => twoDigits(cpuRatio(results, name, 'bare'));
  }
  if (isAsked('row lock')) {
    ratios['x row lock'] = ({ name }) => twoDigits(speedRatio(results, name, 'row lock'));
  }
  return ratios;
}

/** A case that asks several contenders the same question. */
export function compare(options: Comparison): Case {
  const { name, what, title, question, contenders, targets, note } = options;
  return {
    name,
    what,
    run: async (bench, plan) => {
      const results = await runRounds(bench, entrants(bench, contenders), question, plan);
      const { rounds, seconds, connections } = plan;
      const plural = rounds === 1 ? 'round' : 'rounds';
      return {
        title,
        notes: [
          [
            `${connections} connections, medians of ${rounds} ${plural} of ${seconds} s in turn.`,
            ...(note ? [note] : []),
            legendOf(results),
          ].join(' '),
        ],
        ...comparison(results, ratiosOf(results, contenders)),
        targets: measuredOf(targets(results)),
        json: results,
      };
    },
  };
}
