import type { RedisOptions as BullRedisOptions } from 'bullmq';
import { Redis } from 'ioredis';
import { Unavailable } from '../domain/unavailable.ts';

const COMMAND_TIMEOUT_MS = 2_000;
const CONNECT_TIMEOUT_MS = 2_000;
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
    commandTimeout: COMMAND_TIMEOUT_MS,
    connectTimeout: CONNECT_TIMEOUT_MS,
    retryStrategy: reconnect,
  });
}

/** A connection that only listens; it resubscribes by itself after a reconnect. */
export function subscriberClient(url: string): Redis {
  return new Redis(url, {
    lazyConnect: true,
    connectTimeout: CONNECT_TIMEOUT_MS,
    maxRetriesPerRequest: null,
    retryStrategy: reconnect,
  });
}

/** What BullMQ needs of its connections. A `Queue` must fail fast, a `Worker` must wait. */
export function bullConnection(url: string, role: 'queue' | 'worker'): BullRedisOptions {
  const { hostname, port, username, password, pathname, protocol } = new URL(url);
  return {
    host: hostname,
    port: Number(port || 6379),
    ...(username ? { username: decodeURIComponent(username) } : {}),
    ...(password ? { password: decodeURIComponent(password) } : {}),
    db: Number(pathname.slice(1) || 0),
    ...(protocol === 'rediss:' ? { tls: {} } : {}),
    connectTimeout: CONNECT_TIMEOUT_MS,
    retryStrategy: reconnect,
    maxRetriesPerRequest: role === 'worker' ? null : 1,
    enableOfflineQueue: role === 'worker',
  };
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
