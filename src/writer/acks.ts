import type { Redis } from 'ioredis';
import { Deadline, within } from '../domain/deadline.ts';
import { Unavailable } from '../domain/unavailable.ts';
import { ANSWER_LIMIT_MS, askRedis } from '../redis/client.ts';
import { commitsChannel } from '../redis/keys.ts';
import type { Lag } from './lag.ts';

const POLL_MS = 250;
const LOOK_LIMIT_MS = 1_000;

/**
 * What told of a commit: this very `call`, or MySQL's `row`. A row may be the work of another call:
 * what this one did can have been lost with Redis, and be decided again. Then the row alone counts.
 */
export type CommittedBy = 'call' | 'row';

/** Waits for one call's commit. */
export interface Waiter {
  /**
   * Resolves once this very call is committed in MySQL, or once `decided` says that MySQL's row
   * shows it. Throws `Unavailable` at the deadline, and as soon as a server is known to be away:
   * the outcome is unknown then.
   */
  committed: (deadline: Deadline, decided: () => Promise<boolean>) => Promise<CommittedBy>;
  /** Forgets the call. */
  cancel: () => void;
}

/**
 * Tells callers that MySQL has committed what they did. A waiter must be registered before its
 * script is sent, and is woken by its own call alone: an id, or a watermark, can belong to an
 * older transition.
 */
export interface Acks {
  register: (call: string) => Waiter;
  /** Resolves once `decided` says so. For repeats, which emit nothing of their own. */
  until: (deadline: Deadline, decided: () => Promise<boolean>) => Promise<void>;
}

async function poll(
  deadline: Deadline,
  decided: () => Promise<boolean>,
  wake: (wakeUp: () => void) => void,
  isCommitted: () => boolean,
  checkServers: () => void,
): Promise<CommittedBy> {
  while (!isCommitted()) {
    const remainingMs = deadline.remainingMs();
    if (remainingMs <= 0) throw new Unavailable('MySQL has not confirmed it in time');
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, Math.min(POLL_MS, remainingMs));
      wake(() => {
        clearTimeout(timer);
        resolve();
      });
    });
    if (isCommitted()) break;
    // A query that fails decides nothing.
    const looking = within(deadline.atMost(LOOK_LIMIT_MS), 'MySQL', decided());
    if (await looking.catch(() => false)) return isCommitted() ? 'call' : 'row';
    checkServers();
  }
  return 'call';
}

/** `checkServers` throws while nobody could commit; see `Lag`. */
export async function createAcks(
  subscriber: Redis,
  lanes: number,
  { checkServers }: Pick<Lag, 'checkServers'>,
): Promise<Acks> {
  // Requests of one batch wait for the same call.
  const waiting = new Map<string, Set<() => void>>();
  subscriber.on('message', (_channel: string, calls: string) => {
    if (waiting.size === 0) return;
    for (const call of calls.split(' ')) {
      for (const tell of waiting.get(call) ?? []) tell();
    }
  });
  const channels = Array.from({ length: lanes }, (_, lane) => commitsChannel(lane));
  await askRedis(new Deadline(ANSWER_LIMIT_MS), 'subscribe', subscriber.subscribe(...channels));

  return {
    register: (call) => {
      let isCommitted = false;
      let wakeUp = () => {};
      const tell = () => {
        isCommitted = true;
        wakeUp();
      };
      const others = waiting.get(call) ?? new Set();
      waiting.set(call, others.add(tell));
      const cancel = () => {
        others.delete(tell);
        if (others.size === 0) waiting.delete(call);
      };
      return {
        committed: async (deadline, decided) => {
          try {
            const wake = (callback: () => void) => {
              wakeUp = callback;
            };
            return await poll(deadline, decided, wake, () => isCommitted, checkServers);
          } finally {
            cancel();
          }
        },
        cancel,
      };
    },
    until: async (deadline, decided) => {
      if (await decided()) return;
      await poll(
        deadline,
        decided,
        () => {},
        () => false,
        checkServers,
      );
    },
  };
}
