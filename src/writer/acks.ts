import type { Redis } from 'ioredis';
import type { Deadline } from '../domain/deadline.ts';
import { Unavailable } from '../domain/unavailable.ts';
import { commitsChannel } from '../redis/keys.ts';

const POLL_MS = 250;

/** Waits for one call's commit. */
export interface Waiter {
  /**
   * Resolves once this very call is committed in MySQL, or once `decided` says that MySQL's row
   * shows it. Throws `Unavailable` at the deadline: the outcome is unknown then.
   */
  committed: (deadline: Deadline, decided: () => Promise<boolean>) => Promise<void>;
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
): Promise<void> {
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
    if (isCommitted()) return;
    // A query that fails decides nothing; the deadline does.
    if (await decided().catch(() => false)) return;
  }
}

export async function createAcks(subscriber: Redis, lanes: number): Promise<Acks> {
  const waiting = new Map<string, () => void>();
  subscriber.on('message', (_channel: string, calls: string) => {
    if (waiting.size === 0) return;
    for (const call of calls.split(' ')) waiting.get(call)?.();
  });
  await subscriber.subscribe(...Array.from({ length: lanes }, (_, lane) => commitsChannel(lane)));

  return {
    register: (call) => {
      let isCommitted = false;
      let wakeUp = () => {};
      waiting.set(call, () => {
        isCommitted = true;
        wakeUp();
      });
      return {
        committed: async (deadline, decided) => {
          try {
            const wake = (callback: () => void) => {
              wakeUp = callback;
            };
            await poll(deadline, decided, wake, () => isCommitted);
          } finally {
            waiting.delete(call);
          }
        },
        cancel: () => void waiting.delete(call),
      };
    },
    until: async (deadline, decided) => {
      if (await decided()) return;
      await poll(
        deadline,
        decided,
        () => {},
        () => false,
      );
    },
  };
}
