import type { HttpBindings } from '@hono/node-server';
import type { MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { BODY_BYTES_MAX } from './budgets.ts';
import { problem } from './problems.ts';

const limitAnyBody = bodyLimit({
  maxSize: BODY_BYTES_MAX,
  onError: (c) =>
    problem(c, 'body_too_large', { detail: `A body may have up to ${BODY_BYTES_MAX} bytes.` }),
});

/**
 * Refuses bodies over 64 KiB with 413. A small announced length is believed, since Node reads no
 * more than that, and without any there is no body; only a chunked one is buffered here.
 */
export const limitBody: MiddlewareHandler = (c, next) => {
  // hono's own check makes a full Request, and its header lookup costs more than all of this.
  const headers = (c.env as Partial<HttpBindings> | undefined)?.incoming?.headers;
  const isSmall =
    headers &&
    headers['transfer-encoding'] === undefined &&
    Number(headers['content-length'] ?? 0) <= BODY_BYTES_MAX;
  return isSmall ? next() : limitAnyBody(c, next);
};
