import type { Logger } from '../log.ts';
import type { DrainOptions } from './drain.ts';

/** Who counts what a drain finds wrong. */
export interface BookCounts {
  drift: (lane: number) => void;
  deadLetter: (lane: number) => void;
}

/** Logs and counts each drift and each dead letter. */
export const bookAlarms = (
  log: Logger,
  counts: BookCounts,
): Pick<DrainOptions, 'onDrift' | 'onDeadLetter'> => ({
  onDrift: ({ lane, productId: product, epoch, sequence, expected, found, isResolved }) => {
    counts.drift(lane);
    const position = `${epoch}-${sequence}`;
    const told = { lane, product, position, expected, found, isResolved };
    log.error(told, 'drift: Redis has other counters than its journal leads to');
  },
  onDeadLetter: (lane, { epoch, sequence, ordinal, reservation, transition, error }) => {
    counts.deadLetter(lane);
    const position = `${epoch}-${sequence}`;
    const told = { lane, position, ordinal, reservation, kind: transition.kind, reason: error };
    log.error(told, 'dead letter: a transition that MySQL does not take');
  },
});
