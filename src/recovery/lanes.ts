import type { Watermark } from '../db/changes.ts';
import { type Database, query } from '../db/client.ts';
import {
  insertLane,
  raiseEmptyEpoch,
  readWatermark,
  readWatermarks,
  underLaneLock,
} from '../db/watermarks.ts';
import { Deadline } from '../domain/deadline.ts';
import type { Logger } from '../log.ts';
import { openLaneScript } from '../redis/bindings/open-lane.ts';
import { laneKey } from '../redis/keys.ts';
import type { LaneLink } from '../redis/link.ts';

const LIMIT_MS = 5_000;
const LOCK_WAIT_MS = 2_000;
const CHECK_EVERY_MS = 1_000;

export interface LaneKeeperOptions {
  link: LaneLink;
  database: Database;
  lanes: number;
  /** Largest backlog, in transitions, at which a lane still grants holds. */
  outboxMax: number;
  /** A command that only looks in leaves the bound of an open lane as it is. */
  keepsBound: boolean;
  /** Commits what the journal of a lane has; throws when the journal does not follow MySQL. */
  drain: (lane: number) => Promise<number>;
  log: Logger;
}

/** Redis has a lane that MySQL has never heard of: nothing may be written before people looked. */
export class WrongDatabase extends Error {
  override readonly name = 'WrongDatabase';
}

/** MySQL has lanes that this process would not look after: their holds would never come back. */
export class TooFewLanes extends Error {
  override readonly name = 'TooFewLanes';
}

/** Why a lane stays closed, for the log and for people. */
export class SuspectLane extends Error {
  override readonly name = 'SuspectLane';
}

interface LaneFound {
  state: string;
  epoch: number;
  run: string;
  tail: string;
  sequence: number;
  cap: number;
}

async function readLane({ link }: LaneKeeperOptions, lane: number): Promise<LaneFound | undefined> {
  const fields = ['state', 'epoch', 'run', 'tail', 'position', 'cap'] as const;
  const [state, epoch, run, tail, position, cap] = await link.redis.hmget(laneKey(lane), ...fields);
  if (!state) return undefined;
  const sequence = position ? Number(position.split('-')[1]) : -1;
  const numbers = { epoch: Number(epoch), sequence, cap: Number(cap) };
  return { state, run: run ?? '', tail: tail ?? '', ...numbers };
}

async function open(
  options: LaneKeeperOptions,
  lane: number,
  epoch: number,
  expectedRun: string,
): Promise<void> {
  const { link, outboxMax } = options;
  const command = { epoch, run: link.run(), expectedRun, cap: outboxMax };
  const reply = await openLaneScript.run(link.redis, laneKey(lane), command);
  if (reply.status === 'opened') {
    link.observe(reply.nowMs);
  } else {
    // Another process was faster, which is as good, unless it closed the lane.
    const found = await readLane(options, lane);
    if (found?.state !== 'open' || found.run !== link.run()) {
      throw new SuspectLane(`lane ${lane} is ${found?.state ?? 'gone'} and cannot be opened`);
    }
  }
  await link.refresh(lane);
}

// An empty lane of a database that never had an entry: nothing can have been lost but holds that
// were never persisted, and the next epoch keeps whoever made those out. Processes that start
// together do this one after the other, or Redis would have the epoch of one and MySQL another's.
async function openCold(options: LaneKeeperOptions, lane: number): Promise<void> {
  const deadline = new Deadline(LIMIT_MS);
  await query(deadline, 'lane', insertLane(options.database, lane));
  const reading = readWatermark(options.database, lane);
  const watermark = await query(deadline, 'watermark', reading);
  if (await readLane(options, lane)) return options.link.refresh(lane);
  if (!watermark) throw new SuspectLane(`MySQL does not keep the row of lane ${lane}`);
  if (watermark.sequence >= 0) {
    throw new SuspectLane(
      `Redis has no lane ${lane}, and MySQL has its journal up to ${watermark.epoch}-` +
        `${watermark.sequence}: Redis has lost its data, and the lane must be rebuilt from MySQL`,
    );
  }
  const raised = await raiseEmptyEpoch(options.database, lane, watermark.epoch);
  if (!raised) throw new SuspectLane(`lane ${lane} is being opened by another process`);
  await open(options, lane, watermark.epoch + 1, '');
}

// Left behind by an earlier server process. It may go on only if Redis lost nothing: its journal
// reaches at least as far as MySQL's rows, and follows them.
async function reopen(
  options: LaneKeeperOptions,
  lane: number,
  watermark: Watermark,
  found: LaneFound,
): Promise<void> {
  const position = `${found.epoch}-${found.sequence}`;
  const behind = `MySQL has its journal up to ${watermark.epoch}-${watermark.sequence}`;
  if (found.epoch !== watermark.epoch || found.sequence < watermark.sequence) {
    throw new SuspectLane(`lane ${lane} ends at ${position}, but ${behind}`);
  }
  if (found.sequence === watermark.sequence && found.tail !== watermark.call) {
    throw new SuspectLane(
      `lane ${lane} ends at ${position} with call ${found.tail}, but ${behind}`,
    );
  }
  const transitions = await options.drain(lane).catch((error) => {
    throw new SuspectLane(`lane ${lane} cannot be drained: ${(error as Error).message}`);
  });
  const drained = await readWatermark(options.database, lane);
  if (drained?.epoch !== found.epoch || drained.sequence < found.sequence) {
    throw new SuspectLane(
      `lane ${lane} ends at ${position}, but its journal only reaches to ${drained?.sequence}`,
    );
  }
  await open(options, lane, found.epoch, found.run);
  options.log.info({ lane, position, transitions }, 'lane reopened after a restart of Redis');
}

async function bringUp(options: LaneKeeperOptions, lane: number, isStart: boolean): Promise<void> {
  const { link, database, outboxMax, keepsBound } = options;
  const deadline = new Deadline(LIMIT_MS);
  // MySQL first, Redis second: the other way round, Redis could seem to be behind.
  const watermark = await query(deadline, 'watermark', readWatermark(database, lane));
  const found = await readLane(options, lane);
  if (!found) {
    const isOpened = await underLaneLock(database, lane, LOCK_WAIT_MS, () =>
      openCold(options, lane),
    );
    if (!isOpened) throw new SuspectLane(`lane ${lane} is being opened by another process`);
    return;
  }
  if (!watermark) {
    // Another process may have made both between the two looks.
    if (await readWatermark(database, lane)) return bringUp(options, lane, isStart);
    throw new WrongDatabase(
      `Redis has lane ${lane}, and MySQL has never heard of it: MYSQL_URL probably names the` +
        ' wrong database, or REDIS_URL the Redis of another shop',
    );
  }
  const isOpen = found.state === 'open' && found.run === link.run();
  if (!isOpen) return reopen(options, lane, watermark, found);
  // OUTBOX_MAX may have another value since the last start.
  if (isStart && !keepsBound && found.cap !== outboxMax)
    return open(options, lane, found.epoch, found.run);
  return link.refresh(lane);
}

async function refuseTooFew({ database, lanes }: LaneKeeperOptions): Promise<void> {
  const reading = readWatermarks(database);
  const watermarks = await query(new Deadline(LIMIT_MS), 'watermarks', reading);
  const used = [...watermarks].filter(([, { sequence }]) => sequence >= 0);
  const needed = Math.max(0, ...used.map(([lane]) => lane)) + 1;
  if (needed > lanes) {
    throw new TooFewLanes(
      `LANES is ${lanes}, but there are products, holds and orders in ${needed} lanes: set LANES to` +
        ` ${needed} or more, in every process`,
    );
  }
}

/** Opens lanes that lost nothing, at the start and after every restart of Redis. */
export interface LaneKeeper {
  /** Opens what may be opened. Throws only the first time: `WrongDatabase` or `TooFewLanes`. */
  check: () => Promise<void>;
  close: () => Promise<void>;
}

/** Looks after the lanes once a second. A suspect one stays closed, and the log says why. */
export function keepLanes(options: LaneKeeperOptions): LaneKeeper {
  const { lanes, log } = options;
  const complaints = new Map<number, string>();
  let isStart = true;

  const check = async () => {
    if (isStart) await refuseTooFew(options);
    for (let lane = 0; lane < lanes; lane += 1) {
      try {
        await bringUp(options, lane, isStart);
        if (complaints.delete(lane)) log.info({ lane }, 'lane is open again');
      } catch (error) {
        if (error instanceof WrongDatabase && isStart) throw error;
        const reason = (error as Error).message;
        if (complaints.get(lane) === reason) continue;
        complaints.set(lane, reason);
        log.error({ lane, reason }, 'lane stays closed; buyers are answered 503');
      }
    }
    isStart = false;
  };

  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  let checking: Promise<void> = Promise.resolve();
  const checkAgain = () => {
    timer = setTimeout(() => {
      checking = check()
        .catch((error) => log.error({ err: error }, 'lanes'))
        .finally(() => {
          if (!closed) checkAgain();
        });
    }, CHECK_EVERY_MS);
  };
  checkAgain();

  return {
    check,
    close: async () => {
      closed = true;
      clearTimeout(timer);
      await checking;
    },
  };
}
