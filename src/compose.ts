import type { Redis } from 'ioredis';
import type { Config } from './config.ts';
import { type Database, openDatabase, query } from './db/client.ts';
import { listReconciliations, type ReconciliationRow } from './db/reconciliations.ts';
import type { DeadLetters } from './domain/dead-letters.ts';
import { Deadline, within } from './domain/deadline.ts';
import { createEngine, type Engine } from './engine/engine.ts';
import { startExpiry } from './expiry/expiry.ts';
import { listenForExpiry } from './expiry/notifications.ts';
import type { Logger } from './log.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { createInbox, type Inbox } from './payments/inbox.ts';
import { createRefunds, type Refunds } from './payments/refunds.ts';
import { createReceiptSweeper } from './payments/sweeper.ts';
import { readiness } from './readiness.ts';
import { keepLanes } from './recovery/keeper.ts';
import { Lanes } from './recovery/lanes.ts';
import { createReconcile } from './recovery/reconcile/reconcile.ts';
import type { Reconcile } from './recovery/reconcile/reconciliation.ts';
import { startReconciler } from './recovery/reconcile/schedule.ts';
import { startSweeper } from './recovery/sweeper.ts';
import { hotClient, reach, subscriberClient } from './redis/client.ts';
import { LaneLink } from './redis/link.ts';
import { watchMemory } from './redis/memory.ts';
import { checkRedis } from './redis/requirements.ts';
import { createAcks } from './writer/acks.ts';
import { bookAlarms } from './writer/alarms.ts';
import { createDoorbell, type Doorbell, nearDoorbell, ownDoorbell } from './writer/doorbell.ts';
import { createDrain, type Drain } from './writer/drain.ts';
import { BrokenJournal } from './writer/fold.ts';
import { EntryDisagrees } from './writer/fold-stock.ts';
import { watchLag } from './writer/lag.ts';
import { deadLettersOf } from './writer/replay.ts';
import { startWriter } from './writer/worker.ts';

const API_CONNECTIONS = 12;
const WRITER_CONNECTIONS = 4;
const REBUILD_CONNECTIONS = 4;
/** A rebuild reads whole tables. */
const REBUILD_SILENCE_MS = 65_000;
const LAST_DRAIN_LIMIT_MS = 5_000;
const CLOSE_LIMIT_MS = 6_000;
const RUNS_TOLD = 20;
const RUNS_LIMIT_MS = 3_000;
const KEEP_MS = 5_000;
const OPEN_MS = 10_000;
/** What several sweeps have not finished is a finding. */
const SWEEPS = 6;

export interface ComposeOptions {
  config: Config;
  redisUrl: string;
  mysqlUrl: string;
  log: Logger;
  /** How long a committed journal entry is kept for diagnosis. */
  keepMs?: number;
  /** How long a receipt or an adjustment must have been open before the sweepers take it up. */
  openMs?: number;
  /** Drain in this process instead of ringing BullMQ: for commands that run where no writer may be. */
  drainsItself?: boolean;
  /** How often expiry looks at the index without having been woken. */
  sweepEveryMs?: number;
  /** Most holds, or orders, in one script call; the bench asks for one each, to see what sharing saves. */
  batchMax?: number | undefined;
  /** Whether to listen for keyspace notifications; the sweeper alone must do as well. */
  notifications?: boolean;
}

/** A running Holdfast, without its HTTP server. */
export interface Holdfast {
  engine: Engine;
  inbox: Inbox;
  database: Database;
  link: LaneLink;
  drain: Drain;
  lanes: Lanes;
  deadLetters: DeadLetters;
  metrics: Metrics;
  refunds: Refunds;
  reconcile: Reconcile;
  /** The newest runs of the reconciliation. */
  reconciliations: () => Promise<ReconciliationRow[]>;
  ready: () => Promise<{ ok: boolean; checks: Record<string, string> }>;
  /** Stops every part, the last one started first. */
  close: () => Promise<void>;
}

type Closer = () => Promise<unknown> | unknown;

async function closeAll(closers: Closer[], log: Logger): Promise<void> {
  for (const close of closers.splice(0).reverse()) {
    // BullMQ waits for Redis without an end; a process that was told to stop must stop.
    const closing = Promise.resolve().then(close);
    await within(new Deadline(CLOSE_LIMIT_MS), 'a part that closes', closing).catch((error) =>
      log.warn({ err: error }, 'while closing'),
    );
  }
}

async function connectRedis({ redisUrl, log }: ComposeOptions, closers: Closer[]) {
  const connect = async () => {
    const redis = hotClient(redisUrl);
    closers.push(() => redis.disconnect());
    const link = new LaneLink(redis);
    redis.on('error', (error) => log.debug({ err: error }, 'redis'));
    await reach(redis, () => link.connect());
    return link;
  };
  const link = await connect();
  await checkRedis(link.redis, log);
  const subscriber = subscriberClient(redisUrl);
  closers.push(() => subscriber.disconnect());
  await reach(subscriber, () => subscriber.connect());
  // The writer has a connection of its own: its large reads must not hold up holds.
  return { link, writerLink: await connect(), subscriber };
}

function whyNot(error: unknown): 'broken' | 'disagrees' | undefined {
  if (error instanceof BrokenJournal) return 'broken';
  return error instanceof EntryDisagrees ? 'disagrees' : undefined;
}

function doorbellOf({ config, redisUrl, drainsItself }: ComposeOptions, drain: Drain): Doorbell {
  if (drainsItself) return ownDoorbell(drain);
  const far = createDoorbell(redisUrl);
  return config.roles.includes('writer') ? nearDoorbell(far, drain) : far;
}

/** What was emitted before the end is committed before the end, if MySQL lets it. */
async function drainLast(drain: Drain, lanes: number, log: Logger): Promise<void> {
  const deadline = new Deadline(LAST_DRAIN_LIMIT_MS);
  for (let lane = 0; lane < lanes; lane += 1) {
    await within(deadline, 'the last drain', drain(lane)).catch((error) => {
      log.warn({ lane, err: error }, 'the journal was not drained; the next start does that');
    });
  }
}

async function startRoles(
  options: ComposeOptions,
  parts: Pick<Holdfast, 'engine' | 'inbox' | 'database' | 'link' | 'drain' | 'reconcile'>,
  subscriber: Redis,
  ring: Doorbell['ring'],
  closers: Closer[],
): Promise<void> {
  const { config, log, redisUrl, openMs = OPEN_MS, sweepEveryMs } = options;
  const { engine, inbox, database, link, drain, reconcile } = parts;
  const { lanes, roles } = config;
  if (roles.includes('writer')) {
    const writer = startWriter({ redisUrl, lanes, drain, log });
    closers.push(() => drainLast(drain, lanes, log), writer.close);
  }
  if (roles.includes('expiry')) {
    const expiry = startExpiry({ link, lanes, ring, log, sweepEveryMs });
    closers.push(expiry.close);
    const { notifications = true } = options;
    if (notifications) await listenForExpiry(subscriber, link.redis, expiry.wake, log);
  }
  if (roles.includes('reconciler')) {
    const { sweep: sweepReceipts } = createReceiptSweeper(inbox, database, log, openMs);
    const sweeper = startSweeper({ engine, database, sweepReceipts, openMs, log });
    closers.push(sweeper.close);
    const { reconcileEveryMs: everyMs } = config;
    if (everyMs > 0) {
      closers.push(startReconciler({ redisUrl, database, reconcile, everyMs, log }).close);
    }
  }
}

async function start(options: ComposeOptions, closers: Closer[]): Promise<Holdfast> {
  const { config, log, redisUrl, mysqlUrl, keepMs = KEEP_MS } = options;
  const { lanes } = config;
  const looksOnly = config.roles.length === 0;
  const { link, writerLink, subscriber } = await connectRedis(options, closers);
  const database = openDatabase(mysqlUrl, API_CONNECTIONS);
  const writerDatabase = openDatabase(mysqlUrl, WRITER_CONNECTIONS);
  const rebuildDatabase = openDatabase(mysqlUrl, REBUILD_CONNECTIONS, REBUILD_SILENCE_MS);
  closers.push(database.close, writerDatabase.close, rebuildDatabase.close);
  const metrics = createMetrics({ database, lanes });
  const drain = createDrain({
    redis: writerLink.redis,
    database: writerDatabase,
    keepMs,
    policy: config,
    ...bookAlarms(log, metrics),
  });
  const kept = new Lanes({
    ...config,
    link,
    database,
    rebuildDatabase,
    drain,
    whyNot,
    looksOnly,
    log,
  });
  const keeper = keepLanes(kept, log);
  closers.push(keeper.close);
  await keeper.start();
  const doorbell = doorbellOf(options, drain);
  closers.push(doorbell.close);
  const lag = await watchLag(link.redis, database, lanes);
  closers.push(lag.close);
  const memory = await watchMemory(link.redis, log);
  closers.push(memory.close);
  const acks = await createAcks(subscriber, lanes, lag);
  const { ring } = doorbell;
  const { batchMax } = options;
  const engine = createEngine({ ...config, link, database, acks, lag, memory, ring, batchMax });
  const inbox = createInbox(engine, database, log);
  const books = { link, database: rebuildDatabase, engine, inbox, ring, lanes, redisUrl };
  const openMs = SWEEPS * (options.openMs ?? OPEN_MS);
  const reconcile = metrics.counted(createReconcile({ ...books, openMs }, log));
  const parts = { engine, inbox, database, link, drain, lanes: kept, metrics, reconcile };
  await startRoles(options, parts, subscriber, doorbell.ring, closers);
  return {
    ...parts,
    refunds: createRefunds(engine, inbox, database),
    deadLetters: deadLettersOf(database, config.keepsHistory),
    reconciliations: () =>
      query(
        new Deadline(RUNS_LIMIT_MS),
        'reconciliations',
        listReconciliations(database, RUNS_TOLD),
      ),
    ready: () => readiness(link, database, lanes),
    close: () => closeAll(closers, log),
  };
}

/**
 * Builds every part and starts the roles that the configuration names. Throws when a server cannot
 * be reached or must not be used; then nothing is left running.
 */
export async function compose(options: ComposeOptions): Promise<Holdfast> {
  const closers: Closer[] = [];
  try {
    return await start(options, closers);
  } catch (error) {
    await closeAll(closers, options.log);
    throw error;
  }
}
