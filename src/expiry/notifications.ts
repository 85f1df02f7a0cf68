import type { Redis } from 'ioredis';
import { Deadline } from '../domain/deadline.ts';
import type { Logger } from '../log.ts';
import { ANSWER_LIMIT_MS, askRedis } from '../redis/client.ts';
import { laneOfReservationKey } from '../redis/keys.ts';

const EXPIRED_CHANNELS = '__keyevent@*__:expired';

/** Flags of `notify-keyspace-events` that make Redis tell of expired keys: E(vent) and x, or A(ll). */
function tellsOfExpiry(flags: string): boolean {
  return flags.includes('E') && (flags.includes('x') || flags.includes('A'));
}

// Managed servers refuse CONFIG; a failover forgets what it set. Hence at every connect.
async function askForNotifications(redis: Redis, log: Logger): Promise<void> {
  try {
    const answer = (await redis.config('GET', 'notify-keyspace-events')) as string[];
    const flags = answer[1] ?? '';
    if (tellsOfExpiry(flags)) return;
    await redis.config('SET', 'notify-keyspace-events', `${flags}Ex`);
  } catch (error) {
    log.warn(
      { err: error },
      'cannot switch on keyspace notifications; expired holds are found by the sweeper alone',
    );
  }
}

/**
 * Wakes expiry as soon as Redis drops a hold that ran out. Notifications are fire-and-forget, so
 * they only make it sooner: what is due stands in the index.
 */
export async function listenForExpiry(
  subscriber: Redis,
  commands: Redis,
  wake: (lane: number) => void,
  log: Logger,
): Promise<void> {
  const database = commands.options.db ?? 0;
  subscriber.on('pmessage', (_pattern: string, channel: string, key: string) => {
    if (channel !== `__keyevent@${database}__:expired`) return;
    const lane = laneOfReservationKey(key);
    if (lane !== undefined) wake(lane);
  });
  commands.on('ready', () => void askForNotifications(commands, log));
  await askForNotifications(commands, log);
  const subscribing = subscriber.psubscribe(EXPIRED_CHANNELS);
  await askRedis(new Deadline(ANSWER_LIMIT_MS), 'subscribe', subscribing);
}
