import type { Redis } from 'ioredis';
import type { ApplyPolicy } from '../db/apply.ts';
import type { DeadLetter, Watermark } from '../db/changes.ts';
import { type Database, query } from '../db/client.ts';
import type { Drift } from '../db/drifts.ts';
import { readWatermark } from '../db/watermarks.ts';
import { Deadline } from '../domain/deadline.ts';
import { type JournalEntry, transitionCount } from '../domain/journal.ts';
import { closeLaneScript } from '../redis/bindings/close-lane.ts';
import { trimScript } from '../redis/bindings/trim.ts';
import { ANSWER_LIMIT_MS, askRedis } from '../redis/client.ts';
import { commitsChannel, laneKey } from '../redis/keys.ts';
import { commitEntries, watermarkOf } from './commit.ts';
import { BrokenJournal } from './fold.ts';
import { EntryDisagrees } from './fold-stock.ts';
import { type Batch, readBatch } from './read-batch.ts';

const READ_LIMIT_MS = 2_000;
const TRIM_EVERY_MS = 500;

export interface DrainOptions {
  redis: Redis;
  database: Database;
  /** How long a committed entry stays in the outbox, for diagnosis. */
  keepMs: number;
  policy: ApplyPolicy;
  /** Told of each drift and each dead letter once it is committed. */
  onDrift: (drift: Drift) => void;
  onDeadLetter: (lane: number, letter: DeadLetter) => void;
}

/** Commits what a lane's journal has when called, and returns how many transitions that were. */
export type Drain = (lane: number) => Promise<number>;

/** Whether MySQL no longer has what it had committed. */
const isBehind = (found: Watermark | undefined, known: Watermark): boolean =>
  found?.epoch !== known.epoch ||
  found.sequence < known.sequence ||
  (found.sequence === known.sequence && found.call !== known.call);

const isSame = (a: Watermark | undefined, b: Watermark): boolean =>
  a?.epoch === b.epoch && a.sequence === b.sequence && a.call === b.call;

/** One transaction, or none. */
interface Step {
  transitions: number;
  /** Whether the journal had no more. */
  atEnd: boolean;
}

/** One lane, as this process drains it. */
class LaneDrain {
  readonly #lane: number;
  readonly #options: DrainOptions;
  #watermark: Watermark | undefined;
  /** Entries committed lately, the oldest first. */
  readonly #kept: { minId: string; committedAt: number }[] = [];
  #trimmedAt = Number.NEGATIVE_INFINITY;
  #trimming: Promise<void> = Promise.resolve();

  constructor(lane: number, options: DrainOptions) {
    this.#lane = lane;
    this.#options = options;
  }

  /** Commits what the journal has; what was committed last is trimmed by the caller. */
  async commit(): Promise<number> {
    let transitions = 0;
    for (;;) {
      const step = await this.#step();
      transitions += step.transitions;
      // What comes meanwhile rings again: to go on for it would mean many small transactions.
      if (step.atEnd) return transitions;
      await this.trim();
    }
  }

  /** Tells Redis what is committed, one call after the other. */
  trim(): Promise<void> {
    this.#trimming = this.#trimming.catch(() => {}).then(() => this.#trim());
    return this.#trimming;
  }

  async #step(): Promise<Step> {
    const from = await this.#readWatermark();
    if (!from) return { transitions: 0, atEnd: true };
    let batch: Batch;
    try {
      batch = await readBatch(this.#options.redis, this.#lane, from);
    } catch (error) {
      if (!(error instanceof BrokenJournal)) throw error;
      // Another writer may have gone on meanwhile, and trimmed what seems to be missing.
      this.#watermark = undefined;
      const now = await this.#readWatermark();
      if (!isSame(now, from)) return { transitions: 0, atEnd: false };
      await this.#close(from);
      throw error;
    }
    const { entries, atEnd } = batch;
    const last = entries.at(-1);
    if (!last) return { transitions: 0, atEnd };
    const result = await this.#commit(entries, from, last).catch(async (error) => {
      if (error instanceof EntryDisagrees) await this.#close(from);
      throw error;
    });
    if (result === 'moved') return { transitions: 0, atEnd: false };
    return { transitions: entries.reduce((sum, entry) => sum + transitionCount(entry), 0), atEnd };
  }

  // Whatever else is granted there would be lost, too.
  async #close({ epoch }: Watermark): Promise<void> {
    const { redis } = this.#options;
    const run = (await this.#ask('run', redis.hget(laneKey(this.#lane), 'run'))) ?? '';
    const closing = closeLaneScript.run(redis, laneKey(this.#lane), { epoch, run });
    await this.#ask('close lane', closing);
  }

  async #commit(
    entries: JournalEntry[],
    from: Watermark,
    last: JournalEntry,
  ): Promise<'committed' | 'moved'> {
    const { redis, database, policy, onDrift, onDeadLetter } = this.#options;
    // Until the commit is known, MySQL is asked where it stands.
    this.#watermark = undefined;
    const committed = await commitEntries(database, this.#lane, entries, from, policy);
    const { moved, isSuspect, drifts, deadLetters } = committed;
    for (const drift of drifts) onDrift(drift);
    for (const letter of deadLetters) onDeadLetter(this.#lane, letter);
    if (isSuspect) await this.#close(from);
    if (moved) return 'moved';
    this.#remember(watermarkOf(last));
    // Who waits for a dead letter must not be told that it is committed.
    const dead = new Set(deadLetters.map(({ sequence }) => sequence));
    const calls = entries.filter(({ sequence }) => !dead.has(sequence)).map(({ call }) => call);
    const publishing = redis.publish(commitsChannel(this.#lane), calls.join(' '));
    await this.#ask('publish', publishing);
    return 'committed';
  }

  async #readWatermark(): Promise<Watermark | undefined> {
    if (this.#watermark) return this.#watermark;
    const reading = readWatermark(this.#options.database, this.#lane);
    const watermark = await query(new Deadline(READ_LIMIT_MS), 'watermark', reading);
    if (watermark) this.#remember(watermark);
    return watermark;
  }

  #remember(watermark: Watermark): void {
    this.#watermark = watermark;
    const { epoch, sequence } = watermark;
    if (sequence < 0) return;
    this.#kept.push({ minId: `${epoch}-${sequence + 1}`, committedAt: performance.now() });
  }

  #ask<T>(what: string, promise: Promise<T>): Promise<T> {
    return askRedis(new Deadline(ANSWER_LIMIT_MS), what, promise);
  }

  async #trim(): Promise<void> {
    const watermark = this.#watermark;
    if (!watermark) return;
    const { epoch, emitted } = watermark;
    const minId = await this.#trimmable(watermark);
    const command = { epoch, persisted: emitted, minId };
    const trimming = trimScript.run(this.#options.redis, laneKey(this.#lane), command);
    await this.#ask('trim', trimming);
  }

  // The oldest entry to keep, or '' for all. Entries may be the only copy of what a failed-over MySQL
  // has lost: it is asked whether it still has what it had committed.
  async #trimmable(known: Watermark): Promise<string> {
    const before = performance.now() - this.#options.keepMs;
    const isDue = performance.now() - this.#trimmedAt >= TRIM_EVERY_MS;
    if (!isDue || (this.#kept[0]?.committedAt ?? before) >= before) return '';
    this.#trimmedAt = performance.now();
    const reading = readWatermark(this.#options.database, this.#lane);
    const found = await query(new Deadline(READ_LIMIT_MS), 'watermark', reading);
    // The next run may have committed more meanwhile.
    if (isBehind(found, known)) {
      this.#watermark = undefined;
      this.#kept.length = 0;
      return '';
    }
    let minId = '';
    while (this.#kept[0] && this.#kept[0].committedAt < before) {
      minId = this.#kept.shift()?.minId ?? '';
    }
    return minId;
  }
}

/** The only writer of holds, orders, outcomes and stock. Any number of processes may have one. */
export function createDrain(options: DrainOptions): Drain {
  const lanes = new Map<number, LaneDrain>();
  const running = new Map<number, Promise<number>>();
  const waiting = new Map<number, Promise<number>>();

  const start = (lane: number): Promise<number> => {
    waiting.delete(lane);
    const laneDrain = lanes.get(lane) ?? new LaneDrain(lane, options);
    lanes.set(lane, laneDrain);
    const committing = laneDrain.commit().finally(() => running.delete(lane));
    running.set(lane, committing);
    // The next run begins meanwhile: somebody waits for its commit, and nobody for a trim.
    return committing.then(async (transitions) => {
      await laneDrain.trim();
      return transitions;
    });
  };

  // One drain a lane at a time in this process. A call that comes while one runs waits for a run
  // that starts after it, and shares that run with the others who wait.
  return (lane) => {
    const queued = waiting.get(lane);
    if (queued) return queued;
    const current = running.get(lane);
    if (!current) return start(lane);
    const next = current.catch(() => 0).then(() => start(lane));
    waiting.set(lane, next);
    return next;
  };
}
