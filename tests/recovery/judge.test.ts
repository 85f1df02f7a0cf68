import { expect, test } from 'vitest';
import type { LaneMark } from '../../src/db/watermarks.ts';
import { judge, type LaneFound } from '../../src/recovery/judge.ts';

// Redis has 5-0 to 5-9 and still stores 5-4 and later; MySQL has up to 5-7.
const RUN = 'this run';
const found: LaneFound = {
  ...{ state: 'open', epoch: 5, run: RUN, tail: 'call 9', sequence: 9, cap: 100, shop: 'ours' },
  oldest: { epoch: 5, sequence: 4 },
};
const watermark: LaneMark = {
  ...{ epoch: 5, sequence: 7, call: 'call 7', emitted: 8, shop: 'ours' },
  ...{ drifts: 0, suspect: false, deadLetters: 0 },
};
const atTail = { sequence: 9, call: 'call 9' };
const empty = { sequence: -1, tail: 'start', oldest: undefined };

type Case = [string, Partial<LaneMark> | undefined, Partial<LaneFound> | undefined, string];

const CASES: Case[] = [
  ['Redis is ahead', {}, {}, 'fine'],
  ['both are at the same entry', atTail, {}, 'fine'],
  ['both are at the same entry, and all is trimmed', atTail, { oldest: undefined }, 'fine'],
  ['nothing was ever written', { sequence: -1, call: 'start' }, empty, 'fine'],
  ['only the next entry is still stored', {}, { oldest: { epoch: 5, sequence: 8 } }, 'fine'],
  ['Redis was started again', {}, { run: 'another' }, 'reopen'],
  ['somebody closed it', {}, { state: 'closed' }, 'reopen'],
  ['counters are known to disagree', { drifts: 1, suspect: true }, {}, 'drift'],
  ['they do, and the lane is closed', { drifts: 2, suspect: true }, { state: 'closed' }, 'drift'],
  ['they do, and only an alarm is wanted', { drifts: 1 }, {}, 'fine'],
  ['they do, and Redis has lost entries', { suspect: true }, { sequence: 6 }, 'rebuild'],
  ['as many dead letters wait as may', { deadLetters: 1_000 }, {}, 'fine'],
  ['more of them wait', { deadLetters: 1_001 }, {}, 'dead_letters'],
  ['they do, and the lane is closed', { deadLetters: 1_001 }, { state: 'closed' }, 'dead_letters'],
  ['they do, and Redis has lost entries', { deadLetters: 1_001 }, { sequence: 6 }, 'rebuild'],
  ['Redis does not have the lane', {}, undefined, 'rebuild'],
  ['nobody has the lane', undefined, undefined, 'rebuild'],
  ['a rebuild was left half done', {}, { state: 'rebuilding' }, 'rebuild'],
  ['a rebuild died before Redis heard of it', { epoch: 6, sequence: -1 }, {}, 'rebuild'],
  ['Redis is behind', {}, { sequence: 6 }, 'rebuild'],
  ['Redis is behind, and was started again', {}, { sequence: 6, run: 'another' }, 'rebuild'],
  ['the last calls differ', { ...atTail, call: 'another' }, {}, 'rebuild'],
  [
    'entries were trimmed that MySQL lacks',
    {},
    { oldest: { epoch: 5, sequence: 9 } },
    'mysql_behind',
  ],
  ['all entries were trimmed, MySQL lacks some', {}, { oldest: undefined }, 'mysql_behind'],
  ['entries are of an older epoch', {}, { oldest: { epoch: 4, sequence: 1 } }, 'mysql_behind'],
  ['MySQL is of an earlier epoch', { epoch: 4 }, {}, 'mysql_behind'],
  [
    'a rebuild that MySQL has lost',
    { epoch: 5 },
    { state: 'rebuilding', epoch: 6 },
    'mysql_behind',
  ],
  ['MySQL is another shop’s, of a later epoch', { epoch: 9, shop: 'theirs' }, {}, 'wrong_database'],
  ['Redis was built by an older Holdfast', {}, { shop: '' }, 'fine'],
  ['MySQL does not know the lane', undefined, {}, 'wrong_database'],
  [
    'neither is MySQL’s the lane that is rebuilt',
    undefined,
    { state: 'rebuilding' },
    'wrong_database',
  ],
];

test.each(CASES)('%s', (_, mark, lane, verdict) => {
  const judgement = judge(mark && { ...watermark, ...mark }, lane && { ...found, ...lane }, RUN);
  expect(judgement.verdict).toBe(verdict);
  if (verdict !== 'fine') expect(judgement.reason).not.toBe('');
});
