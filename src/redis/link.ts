import type { Redis } from 'ioredis';
import type { Deadline } from '../domain/deadline.ts';
import { newCall } from '../domain/ids.ts';
import { Unavailable } from '../domain/unavailable.ts';
import type { Gate } from './bindings/common.ts';
import { ANSWER_LIMIT_MS, askRedis, parseInfo } from './client.ts';
import { laneKey } from './keys.ts';

const CLOCK_WINDOW_MS = 5_000;
/** A timer may fire a millisecond early, and a script sees whole milliseconds. */
const TIMER_EARLY_MS = 2;
const REFRESH_EVERY_MS = 200;

type Reply = { status: string; nowMs: number };

/** What the gate of a write script can refuse with. */
type GateRefusal = { status: 'closed' | 'stale' | 'late' };

/**
 * What one connection knows: which server process it talks to, the epoch of each lane, and a lower
 * bound of the server's clock. Every write script is told all three.
 */
export class LaneLink {
  readonly redis: Redis;
  readonly #epochs = new Map<number, number>();
  readonly #refreshedAt = new Map<number, number>();
  #run: string | undefined;
  // The largest `server time - own time` seen in the last one to two windows. A reply that was
  // slow to come says too little, never too much, so the largest is the best lower bound.
  #offset = { startedAt: 0, current: Number.NEGATIVE_INFINITY, previous: Number.NEGATIVE_INFINITY };

  constructor(redis: Redis) {
    this.redis = redis;
    // Until the new server process has named itself, nothing may be written.
    redis.on('close', () => {
      this.#run = undefined;
    });
    redis.on('ready', () => void this.#learnRun().catch(() => redis.disconnect(true)));
  }

  /** Connects and learns the server's run. Throws when there is no server. */
  async connect(): Promise<void> {
    if (this.redis.status === 'wait') await this.redis.connect();
    await this.#learnRun();
  }

  /** `run_id` of the server process on the other end. Throws `Unavailable` while unconnected. */
  run(): string {
    if (this.#run === undefined) throw new Unavailable('not connected to Redis');
    return this.#run;
  }

  /** The newest time known to have passed on the server, in milliseconds since 1970. */
  nowMs(): number {
    const offset = Math.max(this.#offset.current, this.#offset.previous);
    return Math.floor(performance.now() + offset);
  }

  /** A caller's deadline on the server's clock, never later than the caller's own. */
  lateMs(deadline: Deadline): number {
    return this.lateAfter(deadline.remainingMs());
  }

  /** The same for a deadline after so many milliseconds. */
  lateAfter(remainingMs: number): number {
    return this.nowMs() + Math.floor(remainingMs) - TIMER_EARLY_MS;
  }

  /** Takes the server's time from a reply that just came. */
  observe(serverMs: number): void {
    const now = performance.now();
    const offset = serverMs - now;
    if (now - this.#offset.startedAt > CLOCK_WINDOW_MS) {
      this.#offset = { startedAt: now, current: offset, previous: this.#offset.current };
    } else if (offset > this.#offset.current) {
      this.#offset.current = offset;
    }
  }

  /** The gate's arguments, with a new name for this call. */
  gate(lane: number): Gate {
    const epoch = this.#epochs.get(lane);
    const run = this.run();
    if (epoch === undefined) {
      this.#refreshSoon(lane);
      throw new Unavailable(`lane ${lane} is not open`);
    }
    return { epoch, run, call: newCall() };
  }

  /** Takes note that the lane is open on this very server. */
  learn(lane: number, epoch: number): void {
    this.#epochs.set(lane, epoch);
  }

  /** Reads the lane's epoch again, if the lane is open on this very server. */
  async refresh(lane: number): Promise<void> {
    const [state, epoch, run] = await this.redis.hmget(laneKey(lane), 'state', 'epoch', 'run');
    if (state === 'open' && run === this.#run) this.#epochs.set(lane, Number(epoch));
    else this.#epochs.delete(lane);
  }

  /** What the lane says of a refusal by its gate: always `Unavailable`, and the epoch is read again. */
  refused(lane: number, status: string): Unavailable {
    this.#refreshSoon(lane);
    return new Unavailable(`lane ${lane} is ${status}`);
  }

  /**
   * Runs a write script: each try with a call of its own, within the deadline, again while it was
   * only `late` by a clock that ran behind, or `again` because overdue units are coming back.
   */
  async execute<R extends Reply>(
    lane: number,
    what: string,
    deadline: Deadline,
    send: (gate: Gate & { lateMs: number }) => Promise<R>,
  ): Promise<Exclude<R, GateRefusal | { status: 'again' }>> {
    for (;;) {
      // What is not answered in time must not run afterwards.
      const limit = deadline.atMost(ANSWER_LIMIT_MS);
      const gate = { ...this.gate(lane), lateMs: this.lateMs(limit) };
      const reply = await askRedis(limit, what, send(gate));
      this.observe(reply.nowMs);
      if (reply.status === 'closed' || reply.status === 'stale') {
        throw this.refused(lane, reply.status);
      }
      if (reply.status !== 'late' && reply.status !== 'again') {
        return reply as Exclude<R, GateRefusal | { status: 'again' }>;
      }
      if (deadline.passed()) throw new Unavailable(`${what}: no time left`);
    }
  }

  // Callers who are refused come in crowds.
  #refreshSoon(lane: number): void {
    const now = performance.now();
    if (now - (this.#refreshedAt.get(lane) ?? Number.NEGATIVE_INFINITY) < REFRESH_EVERY_MS) return;
    this.#refreshedAt.set(lane, now);
    this.refresh(lane).catch(() => {});
  }

  async #learnRun(): Promise<void> {
    const info = parseInfo(await this.redis.info('server'));
    const [seconds, microseconds] = await this.redis.time();
    this.#offset = {
      startedAt: performance.now(),
      current: Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000) - performance.now(),
      previous: Number.NEGATIVE_INFINITY,
    };
    this.#run = info.get('run_id');
  }
}
