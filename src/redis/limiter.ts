import type { Redis } from 'ioredis';
import { RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import { Deadline, within } from '../domain/deadline.ts';
import { LIMIT_PREFIX } from './keys.ts';

/** A Redis that stands still must not cost a request the time in which it is to be answered. */
const ANSWER_LIMIT_MS = 100;
/** Clients known to be over the limit; more of them are looked up in Redis each time. */
const BLOCKED_MAX = 10_000;

/** Clients that are over the limit, until when; in memory, so that they cost Redis nothing. */
class Blocked {
  readonly #untilMs = new Map<string, number>();

  /** How long the client is blocked yet, in milliseconds. */
  waitMs(client: string): number {
    const untilMs = this.#untilMs.get(client);
    return untilMs === undefined ? 0 : Math.max(0, untilMs - performance.now());
  }

  add(client: string, waitMs: number): void {
    const nowMs = performance.now();
    // The oldest are first, and none outlasts a window: what has ended leaves from the front.
    for (const [oldest, untilMs] of this.#untilMs) {
      if (untilMs > nowMs) break;
      this.#untilMs.delete(oldest);
    }
    if (this.#untilMs.size < BLOCKED_MAX) this.#untilMs.set(client, nowMs + waitMs);
  }
}

/**
 * Counts the requests of each client in Redis, for all processes together: up to `requests` in a
 * window that begins with the first of them. Across the edge of two windows it may be twice that.
 */
export class Limiter {
  readonly #counts: RateLimiterRedis;
  readonly #blocked = new Blocked();

  constructor(redis: Redis, { requests, windowMs }: { requests: number; windowMs: number }) {
    this.#counts = new RateLimiterRedis({
      storeClient: redis,
      rejectIfRedisNotReady: true,
      keyPrefix: LIMIT_PREFIX,
      points: requests,
      duration: windowMs / 1000,
    });
  }

  /**
   * Counts one request. Resolves with how long the client is to wait, in milliseconds, or 0 where
   * it may go on. Never rejects: without an answer of Redis within 100 ms nobody is refused here.
   */
  async take(client: string): Promise<number> {
    const blockedMs = this.#blocked.waitMs(client);
    if (blockedMs > 0) return blockedMs;
    try {
      await within(new Deadline(ANSWER_LIMIT_MS), 'limit', this.#counts.consume(client));
      return 0;
    } catch (refusal) {
      if (!(refusal instanceof RateLimiterRes)) return 0;
      const waitMs = Math.max(1, refusal.msBeforeNext);
      this.#blocked.add(client, waitMs);
      return waitMs;
    }
  }
}
