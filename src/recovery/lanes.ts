import type { Watermark } from '../db/changes.ts';
import { type Database, query } from '../db/client.ts';
import { insertLane, raiseEmptyEpoch, readWatermark } from '../db/watermarks.ts';
import { Deadline } from '../domain/deadline.ts';
import type { Logger } from '../log.ts';
import { openLaneScript } from '../redis/bindings/open-lane.ts';
import { laneKey } from '../redis/keys.ts';
import type { LaneLink } from '../redis/link.ts';

const LIMIT_MS = 5_000;
const CHECK_EVERY_MS = 1_000;

export interface LaneKeeperOptions {
  link: LaneLink;
  database: Database;
  lanes: number;
  /** Largest backlog, in transitions, at which a lane still grants holds. */
  outboxMax: number;
  /** Commits what the journal of a lane has; throws when the journal does not follow MySQL. */
  drain: (lane: number) => Promise<number>;
  log: Logger;
}

/** Redis has a lane that MySQL has never heard of: nothing may be written before people looked. */
export class WrongDatabase extends Error {
  override readonly name = 'WrongDatabase';
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
}

async function readLane({ link }: LaneKeeperOptions, lane: number): Promise<LaneFound | undefined> {
  const fields = ['state', 'epoch', 'run', 'tail', 'position'] as const;
  const [state, epoch, run, tail, position] = await link.redis.hmget(laneKey(lane), ...fields);
  if (!state) return undefined;
  const sequence = position ? Number(position.split('-')[1]) : -1;
  return { state, epoch: Number(epoch), run: run ?? '', tail: tail ?? '', sequence };
}

async function open(
  { link, outboxMax }: LaneKeeperOptions,
  lane: number,
  epoch: number,
  expectedRun: string,
): Promise<void> {
  const command = { epoch, run: link.run(), expectedRun, cap: outboxMax };
  const reply = await openLaneScript.run(link.redis, laneKey(lane), command);
  // Another process was faster, which is as good.
  if (reply.status === 'opened') link.observe(reply.nowMs);
  await link.refresh(lane);
}

// An empty lane of a database that never had an entry: nothing can have been lost but holds that
// were never persisted, and the next epoch keeps whoever made those out.
async function openCold(
  options: LaneKeeperOptions,
  lane: number,
  watermark: Watermark,
): Promise<void> {
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
  await open(options, lane, found.epoch, found.run);
  options.log.info({ lane, position, transitions }, 'lane reopened after a restart of Redis');
}

async function bringUp(options: LaneKeeperOptions, lane: number): Promise<void> {
  const { link, database } = options;
  const deadline = new Deadline(LIMIT_MS);
  // MySQL first, Redis second: the other way round, Redis could seem to be behind.
  const watermark = await query(deadline, 'watermark', readWatermark(database, lane));
  const found = await readLane(options, lane);
  if (found && !watermark) {
    throw new WrongDatabase(
      `Redis has lane ${lane}, and MySQL has never heard of it: MYSQL_URL probably names the` +
        ' wrong database, or REDIS_URL the Redis of another shop',
    );
  }
  if (found?.state === 'open' && found.run === link.run()) return link.refresh(lane);
  if (!watermark) {
    await query(deadline, 'lane', insertLane(database, lane));
    const made = await query(deadline, 'watermark', readWatermark(database, lane));
    if (made) await openCold(options, lane, made);
  } else if (!found) {
    await openCold(options, lane, watermark);
  } else {
    await reopen(options, lane, watermark, found);
  }
}

/** Opens lanes that lost nothing, at the start and after every restart of Redis. */
export interface LaneKeeper {
  /** Opens what may be opened. Throws only `WrongDatabase`. */
  check: () => Promise<void>;
  close: () => Promise<void>;
}

/** Looks after the lanes once a second. A suspect one stays closed, and the log says why. */
export function keepLanes(options: LaneKeeperOptions): LaneKeeper {
  const { lanes, log } = options;
  const complaints = new Map<number, string>();

  const check = async () => {
    for (let lane = 0; lane < lanes; lane += 1) {
      try {
        await bringUp(options, lane);
        if (complaints.delete(lane)) log.info({ lane }, 'lane is open again');
      } catch (error) {
        if (error instanceof WrongDatabase) throw error;
        const reason = (error as Error).message;
        if (complaints.get(lane) === reason) continue;
        complaints.set(lane, reason);
        log.error({ lane, reason }, 'lane stays closed; buyers are answered 503');
      }
    }
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
