import { Deadline, within } from '../domain/deadline.ts';
import type { Logger } from '../log.ts';
import { expireScript } from '../redis/bindings/expire.ts';
import { isReply } from '../redis/client.ts';
import { laneKey } from '../redis/keys.ts';
import type { LaneLink } from '../redis/link.ts';

const SWEEP_EVERY_MS = 250;
const CALL_LIMIT_MS = 2_000;

export interface ExpiryOptions {
  link: LaneLink;
  lanes: number;
  /** Tells the writer that a lane has new entries; see `Doorbell`. */
  ring: (lane: number, isAwaited?: boolean) => void;
  log: Logger;
  /** How often to look without having been woken. */
  sweepEveryMs?: number | undefined;
}

/** Gives the units of overdue reservations back. */
export interface Expiry {
  /** Somebody noticed that a reservation of the lane ran out. */
  wake: (lane: number) => void;
  close: () => Promise<void>;
}

/**
 * Runs the `expire` script when woken and four times a second, once at a time for each lane, until
 * nothing is overdue. Every call is bounded, so that holds get their turn in between.
 */
export function startExpiry(options: ExpiryOptions): Expiry {
  const { link, lanes, ring, log, sweepEveryMs = SWEEP_EVERY_MS } = options;
  const running = new Map<number, Promise<void>>();
  const wokenAgain = new Set<number>();
  const complaints = new Map<number, string>();
  let closed = false;

  const expire = async (lane: number): Promise<void> => {
    for (let more = true; more && !closed; ) {
      const sending = expireScript.run(link.redis, laneKey(lane), link.gate(lane));
      const reply = await within(new Deadline(CALL_LIMIT_MS), 'Redis (expire)', sending);
      link.observe(reply.nowMs);
      if (reply.status !== 'expired') throw link.refused(lane, reply.status);
      if (reply.count > 0) {
        ring(lane, false);
        log.debug({ lane, count: reply.count }, 'expired');
      }
      more = reply.more;
    }
  };

  const wake = (lane: number): void => {
    if (closed || lane >= lanes) return;
    if (running.has(lane)) {
      wokenAgain.add(lane);
      return;
    }
    const run = expire(lane)
      // A closed lane or a lost server is told by those who own them; the next sweep tries again.
      .catch((error) => {
        if (isReply(error) && complaints.get(lane) !== error.message) {
          complaints.set(lane, error.message);
          log.error({ lane, reason: error.message }, 'overdue reservations cannot be ended');
        } else log.debug({ lane, err: error }, 'expire');
      })
      .finally(() => {
        running.delete(lane);
        if (wokenAgain.delete(lane)) wake(lane);
      });
    running.set(lane, run);
  };

  const timer = setInterval(() => {
    for (let lane = 0; lane < lanes; lane += 1) wake(lane);
  }, sweepEveryMs);

  return {
    wake,
    close: async () => {
      closed = true;
      clearInterval(timer);
      await Promise.all(running.values());
    },
  };
}
