import { type Database, query } from '../db/client.ts';
import { readWatermarks, underLock } from '../db/watermarks.ts';
import { Deadline } from '../domain/deadline.ts';
import { closeLaneScript } from '../redis/bindings/close-lane.ts';
import { openLaneScript } from '../redis/bindings/open-lane.ts';
import { ANSWER_LIMIT_MS, askRedis } from '../redis/client.ts';
import { laneKey } from '../redis/keys.ts';
import { LaneBusy, RebuildPaused, SuspectLane, TooFewLanes, WrongDatabase } from './errors.ts';
import { type Examined, examine, examineAll } from './examine.ts';
import type { LaneFound } from './judge.ts';
import { type RebuildOptions, type Rebuilt, rebuildLane } from './rebuild.ts';

const LIMIT_MS = 5_000;
const LOCK_WAIT_MS = 2_000;
const REBUILD_PAUSE_MS = 5_000;

export interface LanesOptions extends RebuildOptions {
  /** For statements that may take long. */
  rebuildDatabase: Database;
  lanes: number;
  /** Commits what the journal of a lane has; throws when the journal does not follow MySQL. */
  drain: (lane: number) => Promise<number>;
  /**
   * Why a drain failed: `broken` when entries are missing or of another history, `disagrees` when
   * they do not follow from the rows, undefined for anything that may pass.
   */
  whyNot: (error: unknown) => 'broken' | 'disagrees' | undefined;
  /** A command that only looks in: it rebuilds nothing unless it is asked to. */
  looksOnly: boolean;
}

const ACCEPT =
  'once MySQL is the one that is to be believed, run "holdfast rebuild --accept-mysql"; what it' +
  ' lacks is lost then';

const RECONCILE =
  'look at "holdfast reconcile"; once "holdfast reconcile --fix" has put them right, the lane opens' +
  ' by itself';

const LETTERS =
  'look at "holdfast dead-letters list"; once "holdfast dead-letters replay --all" has written them,' +
  ' the lane opens by itself';

const wrongDatabase = (lane: number, reason: string) =>
  new WrongDatabase(`lane ${lane}: ${reason}`);

const suspect = (lane: number, reason: string) =>
  new SuspectLane(`lane ${lane}: ${reason}; ${ACCEPT}`);

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
    return examineAll(link, database, lanes);
  }

  /**
   * Has a lane open that nothing speaks against: at once, by draining it and opening it again, or by
   * a rebuild. What is suspect is closed first. Throws `SuspectLane` or `WrongDatabase` where people
   * must decide, `LaneBusy` where another process does.
   */
  async keep({ lane, verdict, found }: Examined, isStart: boolean): Promise<void> {
    const { link, database, looksOnly } = this.#options;
    if (verdict === 'fine' && found) return link.learn(lane, found.epoch);
    // Other lanes may have taken long since that look.
    const now = await examine(link, database, lane);
    if (now.verdict === 'fine') return link.refresh(lane);
    if (isStart) this.#refuseNewcomer(now);
    // One who looks in opens a lane that nobody knows yet, and one that lost nothing.
    const isNew = now.found === undefined && now.watermark === undefined;
    if (looksOnly && now.verdict !== 'reopen' && !isNew) {
      throw new SuspectLane(`lane ${lane}: ${now.reason}`);
    }
    await this.#close(lane, now.found);
    const isDone = await this.#alone(lane, () => this.#decide(lane));
    if (!isDone) throw new LaneBusy(`another process has been at work on lane ${lane}`);
  }

  // A newcomer with a wrong MYSQL_URL must not stop the sale of the others.
  #refuseNewcomer({ lane, verdict, reason, found }: Examined): void {
    const { link, looksOnly } = this.#options;
    if (verdict === 'wrong_database') throw wrongDatabase(lane, reason);
    const isServed = found?.state === 'open' && found.run === link.run();
    if (verdict === 'mysql_behind' && isServed && !looksOnly) {
      const advice = 'others may be serving it: MYSQL_URL probably names an older copy';
      throw wrongDatabase(lane, `${reason}; ${advice}. Else, ${ACCEPT}`);
    }
  }

  /** Gives an open lane the bound of this process, unless that only looks in. */
  async setBound(lane: number): Promise<void> {
    const { link, database, outboxMax, looksOnly } = this.#options;
    if (looksOnly) return;
    const { verdict, found } = await examine(link, database, lane);
    if (verdict === 'fine' && found && found.cap !== outboxMax) await this.#open(lane, found, '');
  }

  /**
   * Builds the lane from MySQL, because somebody asks for it: drained first, so that nothing that
   * can be saved is lost. Throws `SuspectLane` where MySQL has lost something, unless that is
   * accepted.
   */
  async rebuild(lane: number, acceptsMysql: boolean): Promise<Rebuilt> {
    let rebuilt: Rebuilt | undefined;
    const isDone = await this.#alone(lane, async () => {
      rebuilt = await this.#rebuildByHand(lane, acceptsMysql);
    });
    if (isDone && rebuilt) return rebuilt;
    throw new LaneBusy(`another process is at work on lane ${lane}: try again in a moment`);
  }

  async #rebuildByHand(lane: number, acceptsMysql: boolean): Promise<Rebuilt> {
    const { link, database, drain, whyNot } = this.#options;
    const before = await examine(link, database, lane);
    if (before.verdict === 'wrong_database') throw wrongDatabase(lane, before.reason);
    await this.#close(lane, before.found);
    await drain(lane).catch((error) => {
      const why = whyNot(error);
      if (why === undefined) throw error;
      if (why === 'disagrees' && !acceptsMysql) throw suspect(lane, (error as Error).message);
    });
    const examined = await examine(link, database, lane);
    if (examined.verdict === 'mysql_behind' && !acceptsMysql) throw suspect(lane, examined.reason);
    return this.#rebuild(lane, examined, 'asked for');
  }

  // False when another process looks after the lane.
  #alone(lane: number, work: () => Promise<void>): Promise<boolean> {
    return underLock(this.#options.database, lane, LOCK_WAIT_MS, work);
  }

  async #decide(lane: number): Promise<void> {
    const { link, database } = this.#options;
    const examined = await examine(link, database, lane);
    const { verdict, reason, found } = examined;
    if (verdict === 'fine') return link.refresh(lane);
    // Somebody may have opened it meanwhile.
    await this.#close(lane, found);
    switch (verdict) {
      case 'reopen':
        if (found) await this.#reopen(lane, examined, found);
        return;
      case 'rebuild':
        if (performance.now() < (this.#pausedUntil.get(lane) ?? 0)) {
          throw new RebuildPaused('a rebuild has failed; the next one begins within 5 s');
        }
        await this.#rebuild(lane, examined, reason);
        return;
      case 'drift':
        throw new SuspectLane(`lane ${lane}: ${reason}; ${RECONCILE}`);
      case 'dead_letters':
        throw new SuspectLane(`lane ${lane}: ${reason}; ${LETTERS}`);
      case 'mysql_behind':
        throw suspect(lane, reason);
      case 'wrong_database':
        throw wrongDatabase(lane, reason);
    }
  }

  // Nothing is discarded unless the entries themselves are not those that MySQL has.
  async #reopen(lane: number, examined: Examined, found: LaneFound): Promise<void> {
    const { link, database, drain, whyNot, log } = this.#options;
    let transitions: number;
    try {
      transitions = await drain(lane);
    } catch (error) {
      const [why, { message }] = [whyNot(error), error as Error];
      if (why === undefined) throw error;
      if (why === 'disagrees') throw suspect(lane, message);
      await this.#rebuild(lane, examined, message);
      return;
    }
    const drained = await examine(link, database, lane);
    const { watermark } = drained;
    if (watermark?.epoch !== found.epoch || watermark.sequence !== drained.found?.sequence) {
      throw new LaneBusy(`lane ${lane} has changed while it was drained`);
    }
    await this.#open(lane, drained.found, watermark.call);
    const { reason } = examined;
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
    await askRedis(new Deadline(ANSWER_LIMIT_MS), 'close lane', closing);
  }

  async #open(lane: number, { epoch, state, run }: LaneFound, expectedTail: string): Promise<void> {
    const { link, outboxMax } = this.#options;
    const expected = { expectedState: state, expectedRun: run, expectedTail };
    const command = { epoch, run: link.run(), ...expected, cap: outboxMax };
    const opening = openLaneScript.run(link.redis, laneKey(lane), command);
    const { status, nowMs } = await askRedis(new Deadline(ANSWER_LIMIT_MS), 'open lane', opening);
    link.observe(nowMs);
    if (status === 'changed') throw new LaneBusy(`lane ${lane} has changed while it was opened`);
    await link.refresh(lane);
  }
}
