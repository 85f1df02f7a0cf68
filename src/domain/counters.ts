import { COUNTER_NAMES, type Counters } from './product.ts';

export const NO_UNITS: Counters = { total: 0, available: 0, held: 0, pending: 0, sold: 0 };

/** The counters in their usual order: MySQL stores JSON in one of its own. */
export const inOrder = ({ total, available, held, pending, sold }: Counters): Counters => {
  return { total, available, held, pending, sold };
};

const combine = (a: Counters, b: Counters, sign: 1 | -1): Counters => ({
  total: a.total + sign * b.total,
  available: a.available + sign * b.available,
  held: a.held + sign * b.held,
  pending: a.pending + sign * b.pending,
  sold: a.sold + sign * b.sold,
});

export const plus = (a: Counters, b: Counters): Counters => combine(a, b, 1);
export const minus = (a: Counters, b: Counters): Counters => combine(a, b, -1);

export const sameCounters = (a: Counters, b: Counters): boolean =>
  COUNTER_NAMES.every((name) => a[name] === b[name]);

/** Units by which two accounts of the same product differ, in the counter where they do most. */
export const driftOf = (a: Counters, b: Counters): number =>
  Math.max(...COUNTER_NAMES.map((name) => Math.abs(a[name] - b[name])));
