import { expect, test } from 'vitest';
import { decide } from '../../src/demo/decisions.ts';
import { barOf } from '../../src/demo/progress.ts';

const BUYERS = 5_000;
const lives = (seed: number) => Array.from({ length: BUYERS }, (_, buyer) => decide(seed, buyer));

test('a seed decides the life of each buyer, and another seed another one', () => {
  expect(lives(7)).toEqual(lives(7));
  expect(decide(7, 4_711)).toEqual(lives(7)[4_711]);
  expect(lives(8)).not.toEqual(lives(7));
});

test('every kind of life is among them', () => {
  const all = lives(1);
  const kinds = (of: 'qty' | 'withHold' | 'payment' | 'deliveries' | 'afterwards') =>
    new Set(all.map((life) => life[of]));
  expect(kinds('qty')).toEqual(new Set([1, 2]));
  expect(kinds('withHold')).toEqual(new Set(['order', 'abandon', 'release']));
  expect(kinds('payment')).toEqual(new Set(['paid', 'failed', 'never', 'late', 'early']));
  expect(kinds('deliveries')).toEqual(new Set([1, 2, 3]));
  expect(kinds('afterwards')).toEqual(new Set(['nothing', 'failure', 'second_payment']));
  const share = all.filter(({ withHold }) => withHold === 'order').length / BUYERS;
  expect(share).toBeGreaterThan(0.77);
  expect(share).toBeLessThan(0.83);
});

test.for([
  [{ sold: 0, pending: 0, held: 0, available: 500 }, '░░░░░░░░░░'],
  [{ sold: 250, pending: 100, held: 100, available: 50 }, '█████▓▓▒▒░'],
  [{ sold: 500, pending: 0, held: 0, available: 0 }, '██████████'],
  // A third each: the parts are rounded together, so that the bar is always full.
  [{ sold: 1, pending: 1, held: 1, available: 0 }, '███▓▓▓▓▒▒▒'],
  [{ sold: 0, pending: 0, held: 0, available: 0 }, ''],
] as const)('the stock bar of %o', ([shelf, bar]) => {
  expect(barOf(shelf, 10, (_, text) => text)).toBe(bar);
});
