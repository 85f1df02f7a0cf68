import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { addressOf } from './client-address.ts';
import { type ProblemResponse, problem, retryAfter } from './problems.ts';

/** What buyers call. Payment providers, the shop's own people and probes are never limited. */
const BUYERS_PATHS = ['/api/products/*', '/api/holds/*', '/api/orders/*'];

/** How many requests a client may send. */
export interface RequestLimit {
  /** Who a client is. */
  by: 'address' | 'buyer';
  /** How many proxies stand between the clients and this process. */
  trustedProxyHops: number;
  /**
   * Counts a request of this client. Resolves with how long it is to wait, in milliseconds, or 0
   * where it may go on. Never rejects.
   */
  take: (client: string) => Promise<number>;
}

async function refuse(
  c: Context,
  { take }: RequestLimit,
  client: string,
): Promise<ProblemResponse | undefined> {
  const waitMs = await take(client);
  if (waitMs === 0) return undefined;
  const retry_after_ms = Math.ceil(waitMs);
  return problem(c, 'rate_limited', {
    detail: 'This client sends too many requests. Nothing was done: try again later.',
    fields: { retry_after_ms },
    headers: retryAfter(retry_after_ms),
  });
}

const refuseAddress = (c: Context, limit: RequestLimit) =>
  refuse(c, limit, `address:${addressOf(c, limit.trustedProxyHops)}`);

/** Refuses all calls of buyers from an address over its limit, before their body is read. */
export function limitAddresses(app: OpenAPIHono, limit: RequestLimit): void {
  for (const path of BUYERS_PATHS) {
    app.use(path, async (c, next) => (await refuseAddress(c, limit)) ?? next());
  }
}

/**
 * Tells whether a hold is one too many of its buyer, or, where it names none, of its address. The
 * buyer is whom the hold says: right where the shop's own server asks.
 */
export function limitBuyers(
  limit: RequestLimit,
): (c: Context, buyer: string) => Promise<ProblemResponse | undefined> {
  return (c, buyer) =>
    buyer === '' ? refuseAddress(c, limit) : refuse(c, limit, `buyer:${buyer}`);
}
