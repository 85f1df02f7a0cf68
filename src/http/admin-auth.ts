import { createHash, timingSafeEqual } from 'node:crypto';
import type { MiddlewareHandler } from 'hono';
import { notFound, problem } from './problems.ts';

const digest = (text: string) => createHash('sha256').update(text).digest();

/**
 * Lets requests with `Authorization: Bearer <token>` through. Without a configured token nothing is
 * there (404). Digests are compared, so that time tells neither the token nor its length.
 *
 * Source: RFC 6750 section 3 (`WWW-Authenticate`).
 */
export function requireAdmin(token: string | undefined): MiddlewareHandler {
  if (token === undefined) return async (c) => notFound(c);
  const expected = digest(token);
  return async (c, next) => {
    const given = /^bearer +(.+)$/i.exec(c.req.header('Authorization') ?? '')?.[1];
    if (given !== undefined && timingSafeEqual(digest(given), expected)) return next();
    const error = given === undefined ? '' : ', error="invalid_token"';
    return problem(c, 'unauthorized', {
      detail: 'Send the admin token as a bearer token in Authorization.',
      headers: { 'WWW-Authenticate': `Bearer realm="holdfast admin"${error}` },
    });
  };
}
