import type { Context, MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { BODY_BYTES_MAX } from './budgets.ts';
import { problem } from './problems.ts';

const BODYLESS = new Set(['GET', 'HEAD', 'DELETE']);

const tooLarge = (c: Context) =>
  problem(c, 'body_too_large', { detail: `A body may have up to ${BODY_BYTES_MAX} bytes.` });

const limitUnannounced = bodyLimit({ maxSize: BODY_BYTES_MAX, onError: tooLarge });

/**
 * Refuses bodies over 64 KiB with 413. An announced length is believed, since Node reads no more;
 * only a chunked body is buffered here, up to the limit.
 */
export const limitBody: MiddlewareHandler = async (c, next) => {
  if (BODYLESS.has(c.req.method)) return next();
  const length = c.req.header('content-length');
  // hono's own check looks at the body first, which costs a full Request on every call.
  if (length !== undefined && c.req.header('transfer-encoding') === undefined) {
    return Number(length) > BODY_BYTES_MAX ? tooLarge(c) : next();
  }
  return limitUnannounced(c, next);
};
