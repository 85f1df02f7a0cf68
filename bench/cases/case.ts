import type { Bench } from '../contenders/contender.ts';
import type { Report } from '../report.ts';
import type { Plan } from '../rounds.ts';

/** One table of the bench. */
export interface Case {
  name: string;
  what: string;
  /** Left out unless it is named: it takes minutes. */
  isLong?: boolean;
  run: (bench: Bench, plan: Plan, say: (line: string) => void) => Promise<Report>;
}

/** A big number of a case, at least 1. */
export const scaled = (count: number, { scale }: Plan): number =>
  Math.max(1, Math.round(count * scale));
