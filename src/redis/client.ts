import type { RedisOptions as BullRedisOptions } from 'bullmq';
import { Redis } from 'ioredis';
import { type Deadline, within } from '../domain/deadline.ts';
import { Unavailable } from '../domain/unavailable.ts';

const COMMAND_TIMEOUT_MS = 2_000;
/**
 * How long a request may wait for an answer of Redis, however long it may wait for MySQL: it is
 * itself answered within 2 s when Redis stands still.
 */
export const ANSWER_LIMIT_MS = 1_500;
const CONNECT_TIMEOUT_MS = 2_000;
// A network can swallow a connection without a word; TCP itself takes a quarter of an hour to notice.
const SILENCE_MAX_MS = 3_000;
const ASK_EVERY_MS = 1_000;
/** Longer than BullMQ's blocking reads. */
const BULL_SILENCE_MAX_MS = 15_000;
const RECONNECT_MAX_MS = 500;

const reconnect = (attempt: number) => Math.min(20 * 2 ** Math.min(attempt, 8), RECONNECT_MAX_MS);

/**
 * The connection of the hot path. Nothing waits in an offline queue and nothing is sent twice:
 * ioredis' defaults run a script after its caller was told that it failed, and run it twice when
 * only its reply was lost.
 */
export function hotClient(url: string): Redis {
  return new Redis(url, {
    lazyConnect: true,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    // What was under way fails with its connection; else it would hang until `commandTimeout`.
    maxRetriesPerRequest: 0,
    commandTimeout: COMMAND_TIMEOUT_MS,
    socketTimeout: SILENCE_MAX_MS,
    connectTimeout: CONNECT_TIMEOUT_MS,
    retryStrategy: reconnect,
    // A primary that became a replica keeps its connections; the new one is found by a new one.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
  });
}

/**
 * A connection that only listens; it resubscribes by itself after a reconnect. It asks for an answer
 * once a second: one that is never answered looks the same as one that has nothing to tell.
 */
export function subscriberClient(url: string): Redis {
  const redis = new Redis(url, {
    lazyConnect: true,
    socketTimeout: SILENCE_MAX_MS,
    connectTimeout: CONNECT_TIMEOUT_MS,
    maxRetriesPerRequest: null,
    retryStrategy: reconnect,
  });
  const asking = setInterval(() => {
    if (redis.status === 'ready') redis.ping().catch(() => {});
  }, ASK_EVERY_MS);
  redis.once('end', () => clearInterval(asking));
  return redis;
}

/**
 * What BullMQ needs of its connections. A `Queue` must fail fast, a `Worker` must wait. Once
 * `isClosing`, a lost connection is given up: BullMQ's `close` would try to get it back for ever.
 */
export function bullConnection(
  url: string,
  role: 'queue' | 'worker',
  isClosing: () => boolean,
): BullRedisOptions {
  const { hostname, port, username, password, pathname, protocol } = new URL(url);
  return {
    host: hostname,
    port: Number(port || 6379),
    ...(username ? { username: decodeURIComponent(username) } : {}),
    ...(password ? { password: decodeURIComponent(password) } : {}),
    db: Number(pathname.slice(1) || 0),
    ...(protocol === 'rediss:' ? { tls: {} } : {}),
    connectTimeout: CONNECT_TIMEOUT_MS,
    socketTimeout: BULL_SILENCE_MAX_MS,
    retryStrategy: (attempt) => (isClosing() ? null : reconnect(attempt)),
    maxRetriesPerRequest: role === 'worker' ? null : 1,
    enableOfflineQueue: role === 'worker',
  };
}

/** Runs `connect`; where it fails, throws `Unavailable` with the reason and what to correct. */
export async function reach(redis: Redis, connect: () => Promise<unknown>): Promise<void> {
  // `connect` of ioredis only says that the connection was closed; the reason comes as an event.
  let reason = '';
  redis.on('error', (error: Error) => {
    reason = error.message;
  });
  await connect().catch((error: Error) => {
    const { host, port } = redis.options;
    const why = reason || error.message;
    throw new Unavailable(`cannot use Redis at ${host}:${port} (REDIS_URL): ${why}`);
  });
}

/** Fields of one section of `INFO`. */
export function parseInfo(text: string): Map<string, string> {
  const fields = new Map<string, string>();
  for (const line of text.split('\r\n')) {
    const colon = line.indexOf(':');
    if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 1));
  }
  return fields;
}

/** Whether an error came from the server's answer rather than from the way there. */
export const isReply = (error: unknown): error is Error =>
  error instanceof Error && error.name === 'ReplyError';

/** Turns what ioredis throws into `Unavailable`, keeping the server's own words. */
export function redisFailure(error: unknown, what: string): Unavailable {
  if (error instanceof Unavailable) return error;
  const reason = error instanceof Error ? error.message : String(error);
  if (isReply(error) && reason.startsWith('OOM')) {
    return new Unavailable(`${what}: Redis has reached maxmemory`, 'overloaded');
  }
  return new Unavailable(`${what}: ${reason}`);
}

/** Redis' answer within the deadline and `ANSWER_LIMIT_MS`. Throws `Unavailable` otherwise. */
export async function askRedis<T>(
  deadline: Deadline,
  what: string,
  promise: Promise<T>,
): Promise<T> {
  try {
    return await within(deadline.atMost(ANSWER_LIMIT_MS), `Redis (${what})`, promise);
  } catch (error) {
    throw redisFailure(error, what);
  }
}
