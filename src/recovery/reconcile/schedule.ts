import { Queue, Worker } from 'bullmq';
import { type Database, query } from '../../db/client.ts';
import { readNewestRun } from '../../db/reconciliations.ts';
import { underLock } from '../../db/watermarks.ts';
import { Deadline, within } from '../../domain/deadline.ts';
import { Unavailable } from '../../domain/unavailable.ts';
import type { Logger } from '../../log.ts';
import { bullConnection } from '../../redis/client.ts';
import { BULL_PREFIX } from '../../redis/keys.ts';
import { createFindingLog } from './finding-log.ts';
import { type Reconcile, ReconcileBusy } from './reconciliation.ts';

export const RECONCILE_QUEUE = 'reconcile';
const SCHEDULER = 'books';
/** After a start lanes open, and what a crash left half done is finished first. */
const FIRST_AFTER_MS = 10_000;
const LOOKS_PER_PERIOD = 4;
const LOOK_EVERY_MAX_MS = 60_000;
/** How long BullMQ has after a start before this process runs without it. */
const PATIENCE_MAX_MS = 600_000;
const ANSWER_LIMIT_MS = 2_000;
const END_LIMIT_MS = 4_000;

export interface ReconcilerOptions {
  redisUrl: string;
  database: Database;
  reconcile: Reconcile;
  everyMs: number;
  log: Logger;
}

/** One process's part in the scheduled runs: they happen one at a time, whoever asks for them. */
function createRunner({ database, reconcile, log }: ReconcilerOptions) {
  const stopping = new AbortController();
  const tellFindings = createFindingLog(log);
  let complaint = '';
  let running: Promise<unknown> | undefined;

  // A clock that is far ahead leaves runs in the future; they say nothing about now.
  const hasRunWithin = async (limitMs: number): Promise<boolean> => {
    const reading = readNewestRun(database);
    const run = await query(new Deadline(ANSWER_LIMIT_MS), 'last reconciliation', reading);
    return run !== undefined && Math.abs(Date.now() - run.startedAt.getTime()) < limitMs;
  };

  const run = async () => {
    const { signal } = stopping;
    const books = { productId: null, fixes: false } as const;
    tellFindings(await reconcile({ ...books, cause: 'schedule', isPaced: true, signal }));
    if (complaint !== '') log.info('reconciliation runs again');
    complaint = '';
  };

  const complain = (error: unknown) => {
    if (stopping.signal.aborted || error instanceof ReconcileBusy) return;
    // Said once a reason, like a lane that does not drain.
    const reason = (error as Error).message;
    if (reason === complaint) return;
    complaint = reason;
    if (error instanceof Unavailable) log.warn({ reason }, 'reconciliation did not finish');
    else log.error({ err: error }, 'reconciliation failed');
  };

  /** Runs unless one has been started within `limitMs`, or is under way in any process. */
  const runUnless = async (limitMs: number): Promise<void> => {
    if (stopping.signal.aborted || running) return;
    const locked = underLock(database, 'schedule', 0, async () => {
      if (!stopping.signal.aborted && !(await hasRunWithin(limitMs))) await run();
    });
    running = locked.catch(complain);
    await running;
    running = undefined;
  };

  return {
    hasRunWithin,
    runUnless,
    complain,
    /** Whether what was under way has ended in time. */
    stop: () => {
      stopping.abort();
      const ending = within(new Deadline(END_LIMIT_MS), 'reconciliation', Promise.resolve(running));
      return ending.then(
        () => true,
        () => false,
      );
    },
  };
}

function createQueue(redisUrl: string, everyMs: number, isClosing: () => boolean) {
  const queue = new Queue(RECONCILE_QUEUE, {
    prefix: BULL_PREFIX,
    connection: bullConnection(redisUrl, 'queue', isClosing),
    skipVersionCheck: true,
  });
  queue.on('error', () => {});
  return {
    /** A schedule that is there stays as it is; a new one begins at `firstAfterMs`. */
    schedule: async (firstAfterMs: number): Promise<boolean> => {
      const repeat = { every: everyMs, startDate: Date.now() + firstAfterMs };
      const opts = { removeOnComplete: true, removeOnFail: true };
      const upserting = queue.upsertJobScheduler(SCHEDULER, repeat, { name: 'reconcile', opts });
      const limit = new Deadline(ANSWER_LIMIT_MS);
      return within(limit, 'BullMQ', upserting).then(
        () => true,
        () => false,
      );
    },
    close: () => queue.close(),
  };
}

/**
 * Compares all books every `everyMs`, in one process of however many call this. BullMQ says when;
 * behind it stands a plain timer, which asks MySQL for the last run: keys of BullMQ that were deleted,
 * or a Redis that takes none, cost at most two periods and the time between two looks. Findings are
 * logged; nothing is repaired.
 */
export function startReconciler(options: ReconcilerOptions): { close: () => Promise<void> } {
  const { redisUrl, everyMs, log } = options;
  let isClosing = false;
  const runner = createRunner(options);
  const queue = createQueue(redisUrl, everyMs, () => isClosing);
  const worker = new Worker(RECONCILE_QUEUE, () => runner.runUnless(everyMs / 2), {
    prefix: BULL_PREFIX,
    connection: bullConnection(redisUrl, 'worker', () => isClosing),
    concurrency: 1,
    skipVersionCheck: true,
  });
  worker.on('error', (error) => log.debug({ err: error }, 'reconcile queue'));

  let isScheduled = false;
  // Nothing waits for it: a Redis that does not answer must not hold up a run without it.
  const schedule = (firstAfterMs: number) => {
    isScheduled = true;
    void queue.schedule(firstAfterMs).then((done) => {
      isScheduled = done;
    });
  };
  let nextAt = performance.now() + Math.min(2 * everyMs, PATIENCE_MAX_MS);
  const look = async () => {
    if (!isScheduled) schedule(everyMs);
    if (performance.now() < nextAt || (await runner.hasRunWithin(2 * everyMs))) return;
    nextAt = performance.now() + everyMs;
    await runner.runUnless(2 * everyMs);
    schedule(everyMs);
  };

  let timer: NodeJS.Timeout | undefined;
  const lookLater = () => {
    if (isClosing) return;
    timer = setTimeout(
      () => void look().catch(runner.complain).then(lookLater),
      Math.min(everyMs / LOOKS_PER_PERIOD, LOOK_EVERY_MAX_MS),
    );
  };
  schedule(Math.min(everyMs, FIRST_AFTER_MS));
  lookLater();

  return {
    close: async () => {
      isClosing = true;
      clearTimeout(timer);
      const hasEnded = await runner.stop();
      // A job that was not ended goes to another process once its lock is over.
      await worker.close(!hasEnded);
      await queue.close();
    },
  };
}
