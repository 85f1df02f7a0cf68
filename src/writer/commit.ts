import { type Applied, type ApplyPolicy, applyChanges, type Run } from '../db/apply.ts';
import type { DeadLetter, Watermark } from '../db/changes.ts';
import { type Database, retried } from '../db/client.ts';
import type { Drift } from '../db/drifts.ts';
import { isPoison } from '../db/rows.ts';
import type { JournalEntry } from '../domain/journal.ts';
import { foldApart, foldEntries } from './fold.ts';

/** What was committed of a run of entries; `moved` when another writer went on instead. */
export interface Committed {
  moved: boolean;
  isSuspect: boolean;
  drifts: Drift[];
  deadLetters: DeadLetter[];
}

/** Where MySQL stands after an entry. */
export const watermarkOf = (entry: JournalEntry): Watermark => {
  const { epoch, sequence, call, emitted } = entry;
  return { epoch, sequence, call, emitted };
};

/**
 * Commits entries that follow `from`, in one transaction where the rows take them. Where they do
 * not, in halves, down to the one entry that is at fault; its transitions are then tried one by one,
 * and those that no row takes become dead letters. The rest goes on.
 */
export async function commitEntries(
  database: Database,
  lane: number,
  entries: readonly JournalEntry[],
  from: Watermark,
  policy: ApplyPolicy,
): Promise<Committed> {
  const total: Committed = { moved: false, isSuspect: false, drifts: [], deadLetters: [] };

  const add = (applied: Applied): boolean => {
    if (applied.status === 'moved') total.moved = true;
    else {
      total.isSuspect = applied.isSuspect;
      total.drifts.push(...applied.drifts);
      total.deadLetters.push(...applied.deadLetters);
    }
    return !total.moved;
  };

  const commit = async (some: readonly JournalEntry[], before: Watermark): Promise<boolean> => {
    const last = some.at(-1);
    if (!last) return true;
    const to = { ...watermarkOf(last), eventAtMs: last.atMs };
    const fold: Run['fold'] = (quarantined) => foldEntries(lane, some, quarantined);
    const run = { lane, from: before, to, fold };
    try {
      return add(await retried(() => applyChanges(database, run, policy)));
    } catch (error) {
      if (!isPoison(error)) throw error;
    }
    if (some.length === 1) {
      const apart = () => foldApart(lane, last);
      return add(await retried(() => applyChanges(database, { ...run, apart }, policy)));
    }
    const [first, rest] = [some.slice(0, some.length / 2), some.slice(some.length / 2)];
    const middle = first.at(-1);
    return (
      middle !== undefined && (await commit(first, before)) && commit(rest, watermarkOf(middle))
    );
  };

  await commit(entries, from);
  return total;
}
