import type { Database } from '../db/client.ts';
import { query } from '../db/client.ts';
import { readWatermarks, underLaneLock } from '../db/watermarks.ts';
import { Deadline, within } from '../domain/deadline.ts';
import type { Logger } from '../log.ts';
import { closeLaneScript } from '../redis/bindings/close-lane.ts';
import { openLaneScript } from '../redis/bindings/open-lane.ts';
import { laneKey } from '../redis/keys.ts';
import type { LaneLink } from '../redis/link.ts';
import { type Examined, examine, examineAll } from './examine.ts';
import type { LaneFound } from './judge.ts';
import { type Rebuilt, rebuildLane } from './rebuild.ts';

const LIMIT_MS = 5_000;
const REDIS_LIMIT_MS = 2_000;
const LOCK_WAIT_MS = 2_000;
const REBUILD_PAUSE_MS = 5_000;

export interface LanesOptions {
  link: LaneLink;
  database: Database;
  /** For statements that may take long. */
  rebuildDatabase: Database;
  lanes: number;
  /** Largest backlog, in transitions, at which a lane still grants holds. */
  outboxMax: number;
  idempotencyTtlMs: number;
  /** Commits what the journal of a lane has; throws when the journal does not follow MySQL. */
  drain: (lane: number) => Promise<number>;
  /** Whether the drain failed because entries are missing or of another history. */
  isBroken: (error: unknown) => boolean;
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

/** A lane that only people can decide about, and what they can do. */
export class SuspectLane extends Error {
  override readonly name = 'SuspectLane';
}

/** A rebuild failed a moment ago, and what it said still stands. */
export class RebuildPaused extends Error {
  override readonly name = 'RebuildPaused';
}

const ACCEPT =
  'once MySQL is the one that is to be believed, run "holdfast rebuild --accept-mysql"; what it' +
  ' lacks is lost then';

const wrongDatabase = (lane: number, reason: string) =>
  new WrongDatabase(`lane ${lane}: ${reason}`);

/** Opens, closes and rebuilds lanes. Everything but a look is done under the lane's lock. */
export class Lanes {
  readonly #options: LanesOptions;
  /** Until when no rebuild of a lane is begun here after one that failed. */
  readonly #pausedUntil = new Map<number, number>();

  constructor(options: LanesOptions) {
    this.#options = options;
  }

  /** Throws `TooFewLanes` when MySQL has lanes beyond `LANES`. */
  async refuseTooFew(): Promise<void> {
    const { database, lanes } = this.#options;
    const watermarks = await query(new Deadline(LIMIT_MS), 'lanes', readWatermarks(database));
    const used = [...watermarks].filter(([, { epoch, sequence }]) => epoch > 1 || sequence >= 0);
    const needed = Math.max(0, ...used.map(([lane]) => lane)) + 1;
    if (needed <= lanes) return;
    throw new TooFewLanes(
      `lane ${needed - 1} is in use, and LANES is ${lanes}: set LANES to ${needed} or more, in every` +
        ' process and for this command',
    );
  }

  /** All lanes as both stores have them. */
  examine(): Promise<Examined[]> {
    const { link, database, lanes } = this.#options;
    return examineAll(link, database, Array.from(Array(lanes).keys()));
  }

  /**
   * Has a lane open that nothing speaks against: at once, by draining it and opening it again, or by
   * a rebuild. What is suspect is closed first. Throws `SuspectLane` or `WrongDatabase` where people
   * must decide.
   */
  async keep({ lane, verdict, reason, found }: Examined, isStart: boolean): Promise<void> {
    const { link } = this.#options;
    if (verdict === 'fine' && found) return link.learn(lane, found.epoch);
    // A newcomer with a wrong MYSQL_URL must not stop the sale of the others.
    if (verdict === 'wrong_database' && isStart) throw wrongDatabase(lane, reason);
    await this.#close(lane, found);
    await this.#alone(lane, () => this.#decide(lane));
  }

  /** Gives an open lane the bound of this process. */
  async setBound(lane: number): Promise<void> {
    const { link, database, outboxMax } = this.#options;
    const { verdict, found } = await examine(link, database, lane);
    if (verdict === 'fine' && found && found.cap !== outboxMax) await this.#open(lane, found);
  }

  /**
   * Builds the lane from MySQL, because somebody asks for it: drained first, so that nothing that
   * can be saved is lost. Throws `SuspectLane` where MySQL has lost something, unless that is
   * accepted.
   */
  async rebuild(lane: number, acceptsMysql: boolean): Promise<Rebuilt> {
    const { link, database, drain, isBroken } = this.#options;
    const before = await examine(link, database, lane);
    await this.#close(lane, before.found);
    let rebuilt: Rebuilt | undefined;
    const isDone = await this.#alone(lane, async () => {
      await drain(lane).catch((error) => {
        if (!isBroken(error) && !acceptsMysql) throw error;
      });
      const examined = await examine(link, database, lane);
      if (examined.verdict === 'wrong_database') throw wrongDatabase(lane, examined.reason);
      if (examined.verdict === 'mysql_behind' && !acceptsMysql) {
        throw new SuspectLane(`${examined.reason}; ${ACCEPT}`);
      }
      rebuilt = await this.#rebuild(lane, examined, 'asked for');
    });
    if (isDone && rebuilt) return rebuilt;
    throw new SuspectLane(`another process looks after lane ${lane}: try again in a moment`);
  }

  // False when another process looks after the lane, which is as good.
  #alone(lane: number, work: () => Promise<void>): Promise<boolean> {
    return underLaneLock(this.#options.database, lane, LOCK_WAIT_MS, work);
  }

  async #decide(lane: number): Promise<void> {
    const { link, database } = this.#options;
    const examined = await examine(link, database, lane);
    const { verdict, reason, found } = examined;
    switch (verdict) {
      case 'fine':
        return link.refresh(lane);
      case 'reopen':
        if (found) await this.#reopen(lane, examined, found);
        return;
      case 'rebuild':
        if (performance.now() < (this.#pausedUntil.get(lane) ?? 0)) {
          throw new RebuildPaused('a rebuild has failed; the next one begins within 5 s');
        }
        await this.#rebuild(lane, examined, reason);
        return;
      case 'mysql_behind':
        throw new SuspectLane(`${reason}; ${ACCEPT}`);
      case 'wrong_database':
        throw wrongDatabase(lane, reason);
    }
  }

  // Nothing is discarded unless the entries themselves are not those that MySQL has.
  async #reopen(lane: number, examined: Examined, found: LaneFound): Promise<void> {
    const { drain, isBroken, log } = this.#options;
    const { reason } = examined;
    let transitions: number;
    try {
      transitions = await drain(lane);
    } catch (error) {
      if (!isBroken(error)) throw error;
      await this.#rebuild(lane, examined, (error as Error).message);
      return;
    }
    await this.#open(lane, found);
    log.info({ lane, epoch: found.epoch, reason, transitions }, 'lane is open again, nothing lost');
  }

  async #rebuild(lane: number, { found }: Examined, reason: string): Promise<Rebuilt> {
    const { log } = this.#options;
    const isNew = found === undefined;
    // One that fails, for want of memory say, has done all its work in vain.
    this.#pausedUntil.set(lane, performance.now() + REBUILD_PAUSE_MS);
    const rebuilt = await rebuildLane(
      { ...this.#options, database: this.#options.rebuildDatabase },
      lane,
      found?.epoch ?? 0,
      reason,
    );
    this.#pausedUntil.delete(lane);
    const { epoch, products, holds, orders, tookMs } = rebuilt;
    const told = { lane, epoch, products, holds, orders, tookMs };
    if (isNew && products === 0) log.info(told, 'lane opened');
    else log.warn({ ...told, reason }, 'lane rebuilt from MySQL');
    return rebuilt;
  }

  async #close(lane: number, found: LaneFound | undefined): Promise<void> {
    if (found?.state !== 'open') return;
    const { link } = this.#options;
    const closing = closeLaneScript.run(link.redis, laneKey(lane), found);
    await within(new Deadline(REDIS_LIMIT_MS), 'Redis (close lane)', closing);
  }

  async #open(lane: number, { epoch, state, run }: LaneFound): Promise<void> {
    const { link, outboxMax } = this.#options;
    const expected = { expectedState: state, expectedRun: run };
    const command = { epoch, run: link.run(), ...expected, cap: outboxMax };
    const opening = openLaneScript.run(link.redis, laneKey(lane), command);
    const { nowMs } = await within(new Deadline(REDIS_LIMIT_MS), 'Redis (open lane)', opening);
    link.observe(nowMs);
    // Where it was changed meanwhile, the next look decides.
    await link.refresh(lane);
  }
}
