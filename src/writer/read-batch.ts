import type { Redis } from 'ioredis';
import type { Watermark } from '../db/changes.ts';
import { Deadline } from '../domain/deadline.ts';
import { type JournalEntry, transitionCount } from '../domain/journal.ts';
import { parseJournalEntry } from '../domain/parse-journal.ts';
import { ANSWER_LIMIT_MS, askRedis } from '../redis/client.ts';
import { outboxKey } from '../redis/keys.ts';
import { BrokenJournal } from './fold.ts';

/** Transitions in one transaction; an entry is never split. */
const BATCH_TRANSITIONS_MAX = 1_000;
const PAGE_ENTRIES = 100;

/** What one transaction takes of the journal. */
export interface Batch {
  entries: JournalEntry[];
  /** Whether the journal had no more when it was read. */
  atEnd: boolean;
}

/**
 * Reads the entries after the watermark, as many as one transaction takes. Throws `BrokenJournal`
 * unless each follows the one before: contiguous ids alone would not show a rollback that new
 * traffic has overtaken, so each entry also names the call before it.
 */
export async function readBatch(redis: Redis, lane: number, from: Watermark): Promise<Batch> {
  const entries: JournalEntry[] = [];
  let { sequence, call } = from;
  let transitions = 0;
  while (transitions < BATCH_TRANSITIONS_MAX) {
    const next = `${from.epoch}-${sequence + 1}`;
    const reading = redis.xrange(outboxKey(lane), next, '+', 'COUNT', PAGE_ENTRIES);
    const page = await askRedis(new Deadline(ANSWER_LIMIT_MS), 'outbox', reading);
    for (const [id, fields] of page) {
      const entry = parseJournalEntry(id, fields);
      const expected = `${from.epoch}-${sequence + 1}`;
      if (id !== expected) {
        throw new BrokenJournal(`lane ${lane}: entry ${expected} is missing, ${id} comes instead`);
      }
      if (entry.prev !== call) {
        throw new BrokenJournal(
          `lane ${lane}: entry ${id} follows call ${entry.prev}, but MySQL has ${call} before it`,
        );
      }
      if (transitions > 0 && transitions + transitionCount(entry) > BATCH_TRANSITIONS_MAX) {
        return { entries, atEnd: false };
      }
      entries.push(entry);
      transitions += transitionCount(entry);
      ({ sequence, call } = entry);
    }
    if (page.length < PAGE_ENTRIES) return { entries, atEnd: true };
  }
  return { entries, atEnd: false };
}
