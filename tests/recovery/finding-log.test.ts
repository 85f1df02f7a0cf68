import { expect, test } from 'vitest';
import type { Finding } from '../../src/domain/finding.ts';
import { createFindingLog } from '../../src/recovery/reconcile/finding-log.ts';
import { captureLog } from '../support/log.ts';
import { finding } from '../support/runs.ts';

const FINDING = 'finding: the books do not agree';
const GONE = 'findings are gone';

/** A log of runs, and what it has been told since it was last asked. */
function findingLog() {
  const { log, lines } = captureLog();
  const tell = createFindingLog(log);
  return (findings: Finding[], found = findings.length) => {
    tell({
      ...{ id: 'rec_1', cause: 'schedule', productId: null, fixes: false, startedAt: new Date() },
      ...{ tookMs: 1, products: 1, reservations: 1, drift: 0, repaired: 0, found, findings },
    });
    return lines
      .splice(0)
      .map(({ msg, product, untold, gone }) => [msg, product ?? untold ?? gone]);
  };
}

const [one, two] = [finding({ productId: 1 }), finding({ productId: 2 })];

test('each finding is told once, until it is gone', () => {
  const told = findingLog();
  expect(told([])).toEqual([]);
  expect(told([one])).toEqual([[FINDING, 1]]);
  expect(told([one])).toEqual([]);
  expect(told([two, one])).toEqual([[FINDING, 2]]);
  expect(told([two])).toEqual([[GONE, 1]]);
  expect(told([one, two])).toEqual([[FINDING, 1]]);
  expect(told([])).toEqual([[GONE, 2]]);
  expect(told([])).toEqual([]);
});

test('the same kind of another lane, product or id is another finding', () => {
  const told = findingLog();
  const others = [{ lane: 1 }, { productId: 8 }, { id: 'hold_x' }, { kind: 'oversold' as const }];
  expect(told([finding(), ...others.map(finding)])).toHaveLength(5);
  // Other figures of a known one are no news.
  expect(told([finding({ found: { available: 13 }, units: 3 }), ...others.map(finding)])).toEqual(
    [],
  );
});

test('what was repaired is over', () => {
  const told = findingLog();
  expect(told([one])).toEqual([[FINDING, 1]]);
  expect(told([{ ...one, outcome: 'repaired' }])).toEqual([[GONE, 1]]);
  expect(told([one])).toEqual([[FINDING, 1]]);
  expect(told([{ ...one, outcome: 'failed' }])).toEqual([]);
});

test('of very many only the first are told one by one, and the others counted', () => {
  const told = findingLog();
  const many = Array.from({ length: 50 }, (_, index) => finding({ productId: index + 1 }));
  const lines = told(many);
  expect(lines.slice(0, 20)).toEqual(many.slice(0, 20).map((each) => [FINDING, each.productId]));
  expect(lines.slice(20)).toEqual([['there are more findings than are told here', 30]]);
  expect(told(many)).toEqual([]);
});

test('a run that lists only some of its findings does not say that others are gone', () => {
  const told = findingLog();
  expect(told([one, two])).toHaveLength(2);
  expect(told([one], 2)).toEqual([]);
});
