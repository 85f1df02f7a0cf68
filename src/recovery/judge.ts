import type { Watermark } from '../db/changes.ts';
import { DEAD_LETTERS_MAX } from '../db/dead-letters.ts';
import type { LaneMark } from '../db/watermarks.ts';

/** A lane as Redis has it. */
export interface LaneFound {
  state: string;
  epoch: number;
  /** The server process that it was opened on. */
  run: string;
  /** Call of the newest entry, and its sequence; -1 for none. */
  tail: string;
  sequence: number;
  /** Sequence of the oldest entry that is still stored, if any is, and its epoch. */
  oldest: { epoch: number; sequence: number } | undefined;
  cap: number;
  /** The database that it was built from. */
  shop: string;
}

/**
 * `reopen`: what Redis has follows what MySQL has. `rebuild`: Redis has lost something. The others
 * are for people: counters disagree, MySQL takes hardly anything, it has lost something, or it is not
 * the one that belongs to this Redis.
 */
export type Verdict =
  | 'fine'
  | 'reopen'
  | 'rebuild'
  | 'drift'
  | 'dead_letters'
  | 'mysql_behind'
  | 'wrong_database';

export interface Judgement {
  verdict: Verdict;
  /** What was seen, for the log and for people. */
  reason: string;
}

function judgePositions(watermark: Watermark, found: LaneFound): Judgement | undefined {
  const inRedis =
    found.sequence < 0 ? `the start of epoch ${found.epoch}` : `${found.epoch}-${found.sequence}`;
  const inMysql = `${watermark.epoch}-${watermark.sequence}`;
  const positions = `Redis has the journal up to ${inRedis}, MySQL up to ${inMysql}`;
  const because = (verdict: Verdict, what: string) => ({
    verdict,
    reason: `${what}: ${positions}`,
  });
  if (found.epoch < watermark.epoch) return because('rebuild', 'Redis is of an earlier epoch');
  if (found.sequence < watermark.sequence) return because('rebuild', 'Redis has lost entries');
  if (found.sequence === watermark.sequence) {
    if (found.tail === watermark.call) return undefined;
    return because('rebuild', 'Redis and MySQL have another last call');
  }
  // Entries are trimmed only once they are committed.
  const isNextThere =
    found.oldest?.epoch === found.epoch && found.oldest.sequence <= watermark.sequence + 1;
  if (!isNextThere) return because('mysql_behind', 'MySQL has lost entries that Redis has trimmed');
  return undefined;
}

/**
 * What is to be done about a lane. `watermark` must have been read before `found`: the other way
 * round, Redis could seem to be behind. Whether the entries in between are a chain, only a drain
 * can tell.
 */
export function judge(
  watermark: LaneMark | undefined,
  found: LaneFound | undefined,
  run: string,
): Judgement {
  if (!found) return { verdict: 'rebuild', reason: 'Redis does not have the lane' };
  if (!watermark || (found.shop !== '' && found.shop !== watermark.shop)) {
    const whose = watermark ? 'is of another shop' : 'has never heard of it';
    const reason =
      `Redis has the lane, and MySQL ${whose}: MYSQL_URL probably names the wrong database, or` +
      ' REDIS_URL the Redis of another shop';
    return { verdict: 'wrong_database', reason };
  }
  // MySQL begins an epoch before Redis hears of it.
  if (found.epoch > watermark.epoch) {
    const reason = `MySQL is of epoch ${watermark.epoch}, and Redis of epoch ${found.epoch}`;
    return { verdict: 'mysql_behind', reason };
  }
  if (found.state === 'rebuilding') {
    return { verdict: 'rebuild', reason: `the rebuild of epoch ${found.epoch} was not finished` };
  }
  const judged = judgePositions(watermark, found);
  if (judged) return judged;
  if (watermark.suspect) {
    const products = watermark.drifts === 1 ? '1 product' : `${watermark.drifts} products`;
    return { verdict: 'drift', reason: `Redis has other counters than MySQL for ${products}` };
  }
  if (watermark.deadLetters > DEAD_LETTERS_MAX) {
    const reason = `MySQL did not take ${watermark.deadLetters} transitions: it is not single rows that are at fault`;
    return { verdict: 'dead_letters', reason };
  }
  if (found.state === 'open' && found.run === run) return { verdict: 'fine', reason: '' };
  const reason = found.run === run ? 'the lane was closed' : 'Redis was started again';
  return { verdict: 'reopen', reason };
}
