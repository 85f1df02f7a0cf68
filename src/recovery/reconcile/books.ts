import { setTimeout as pause } from 'node:timers/promises';
import type { PoolConnection } from 'mysql2/promise';
import type { Database } from '../../db/client.ts';
import { query } from '../../db/client.ts';
import { readWatermark } from '../../db/watermarks.ts';
import { Deadline } from '../../domain/deadline.ts';
import type { Finding } from '../../domain/finding.ts';
import { newCall } from '../../domain/ids.ts';
import { Unavailable } from '../../domain/unavailable.ts';
import type { Engine } from '../../engine/engine.ts';
import type { Inbox } from '../../payments/inbox.ts';
import { type Repair, repairScript } from '../../redis/bindings/repair.ts';
import { ANSWER_LIMIT_MS, askRedis } from '../../redis/client.ts';
import { laneKey } from '../../redis/keys.ts';
import type { LaneLink } from '../../redis/link.ts';
import type { ReconcileRequest } from './reconciliation.ts';

const REACHED_LIMIT_MS = 15_000;
const LOOK_EVERY_MS = 20;
/** No longer than the lock outlives a process that stands still: then others may repair. */
const ACT_LIMIT_MS = 6_000;
const MYSQL_LIMIT_MS = 2_000;
/** A paced run rests this many times as long as it works. */
const REST_FACTOR = 4;
const REST_MAX_MS = 1_000;

/** What a reconciliation works with. */
export interface ReconcileParts {
  link: LaneLink;
  /** For statements that may take long. */
  database: Database;
  engine: Engine;
  inbox: Pick<Inbox, 'settleOpen'>;
  /** Tells the writer of a lane that its journal has grown. */
  ring: (lane: number) => void;
  lanes: number;
  redisUrl: string;
  /** How long a receipt or an adjustment may be open before it is a finding. */
  openMs: number;
}

/** Something that is wrong, and how it can be put right; without `fix` it is for people. */
export interface Found extends Omit<Finding, 'outcome'> {
  /** False when it was no longer as it was seen. */
  fix?: () => Promise<boolean>;
}

/** A lane as its journal stands, for scripts that look after the books. */
export interface LaneGate {
  epoch: number;
  run: string;
  call: string;
  /** Until when, by Redis' clock, what was seen through it may be acted on. */
  lateMs: number;
}

/** One run: what it has found so far, and what it was asked for. */
export class Books {
  readonly id: string;
  readonly parts: ReconcileParts;
  readonly request: ReconcileRequest;
  readonly findings: Finding[] = [];
  /** Holds the lock of those who repair. */
  readonly connection: PoolConnection | undefined;
  products = 0;
  reservations = 0;
  #workedSince = performance.now();

  constructor(
    id: string,
    parts: ReconcileParts,
    request: ReconcileRequest,
    connection: PoolConnection | undefined,
  ) {
    this.id = id;
    this.parts = parts;
    this.request = request;
    this.connection = connection;
  }

  /** The connection under the lock: what is repaired on any other could be repaired twice. */
  locked(): PoolConnection {
    if (!this.connection) throw new Error('only a run that repairs has the lock');
    return this.connection;
  }

  /** Notes what was found, repairing it where that was asked for. */
  async note(found: Found): Promise<void> {
    const { fix, ...finding } = found;
    if (!this.request.fixes || !fix) {
      this.findings.push({ ...finding, outcome: 'left' });
      return;
    }
    try {
      this.findings.push({ ...finding, outcome: (await fix()) ? 'repaired' : 'failed' });
    } catch (error) {
      // A lane that is closed takes no rules, say; the other books can be put right all the same.
      const repair = `${finding.repair}: ${(error as Error).message}`;
      this.findings.push({ ...finding, repair, outcome: 'failed' });
    }
  }

  /** Whether these products' books are among those asked for. */
  concerns(items: readonly { productId: number }[]): boolean {
    const { productId } = this.request;
    return productId === null || items.some((item) => item.productId === productId);
  }

  /** Tells how far it is, and rests where the sale is to have most of the servers' time. */
  async step(step: string, done: number, total: number): Promise<void> {
    const { onProgress, isPaced, signal } = this.request;
    this.#checkStopped();
    onProgress?.({ step, done, total });
    if (!isPaced) return;
    const workedMs = performance.now() - this.#workedSince;
    await pause(Math.min(REST_MAX_MS, REST_FACTOR * workedMs), undefined, { signal }).catch(
      () => {},
    );
    this.#workedSince = performance.now();
  }

  #checkStopped(): void {
    if (this.request.signal?.aborted) throw new Unavailable('the reconciliation was stopped');
  }

  /** What Redis answers. Throws `Unavailable` when it does not. */
  ask<T>(what: string, promise: Promise<T>): Promise<T> {
    return askRedis(new Deadline(ANSWER_LIMIT_MS), what, promise);
  }

  /** The lane's epoch on this very server. Throws `Unavailable` while nobody may write there. */
  async gate(lane: number): Promise<LaneGate> {
    const { link } = this.parts;
    const reading = Promise.all([
      link.redis.time(),
      link.redis.hmget(laneKey(lane), 'state', 'epoch', 'run'),
    ]);
    const [[now], [state, epoch, run]] = await this.ask('gate', reading);
    if ((state !== 'open' && state !== 'closed') || run !== link.run()) {
      throw new Unavailable(`lane ${lane} is being opened or rebuilt: try again in a moment`);
    }
    const lateMs = Number(now) * 1_000 + ACT_LIMIT_MS;
    return { epoch: Number(epoch), run, call: newCall(), lateMs };
  }

  /** Throws `Unavailable` unless the lane is still that of `gate`. */
  async sameLane(lane: number, { epoch }: LaneGate): Promise<void> {
    const { epoch: now } = await this.gate(lane);
    if (now !== epoch) throw new Unavailable(`lane ${lane} was rebuilt: run it again`);
  }

  /** Waits until MySQL has everything up to a position of the journal, '' being none. */
  async reached(lane: number, position: string): Promise<void> {
    if (position === '') return;
    const { database, ring } = this.parts;
    const deadline = new Deadline(REACHED_LIMIT_MS);
    const [epoch = 0, sequence = 0] = position.split('-').map(Number);
    for (;;) {
      const reading = readWatermark(database, lane);
      const mark = await query(new Deadline(MYSQL_LIMIT_MS), 'watermark', reading);
      if (mark && mark.epoch > epoch)
        throw new Unavailable(`lane ${lane} was rebuilt: run it again`);
      if (mark && mark.epoch === epoch && mark.sequence >= sequence) return;
      if (deadline.passed()) {
        throw new Unavailable(
          `MySQL has not reached ${position} of lane ${lane}: is a writer at work?`,
        );
      }
      this.#checkStopped();
      ring(lane);
      await pause(LOOK_EVERY_MS);
    }
  }

  /**
   * Makes one thing in Redis what it must be; false when it was no longer as it was seen. `gate` is
   * of before it was seen: what was seen in another epoch, or long ago, proves nothing.
   */
  async repair(lane: number, gate: LaneGate, repair: Repair): Promise<boolean> {
    const { epoch, run, lateMs } = gate;
    const command = { epoch, run, lateMs, repairs: [repair] };
    const reply = await this.ask(
      'repair',
      repairScript.run(this.parts.link.redis, laneKey(lane), command),
    );
    if (reply.status !== 'repaired') throw new Unavailable(`lane ${lane} is ${reply.status}`);
    return reply.done[0] === true;
  }
}
