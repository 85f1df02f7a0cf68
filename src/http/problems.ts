import type { HttpBindings } from '@hono/node-server';
import type { Hook } from '@hono/zod-openapi';
import type { Context, Env, ErrorHandler, TypedResponse } from 'hono';
import { HTTPException } from 'hono/http-exception';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type { ZodError } from 'zod';
import { Unavailable } from '../domain/unavailable.ts';
import type { Logger } from '../log.ts';
import { PROBLEMS, type ProblemCode, type ProblemFields } from './problem-table.ts';

/** What a handler may return beside its typed success: fits every declared response. */
export type ProblemResponse = Response & TypedResponse<never, never, never>;

type Telling<C extends ProblemCode> = {
  /** What happened here, for people. */
  detail: string;
  headers?: Record<string, string>;
  /** Where a route answers a code with another status than the table's. */
  status?: ContentfulStatusCode;
} & (Record<never, never> extends ProblemFields<C>
  ? { fields?: ProblemFields<C> }
  : { fields: ProblemFields<C> });

const PROBLEM_TYPE = 'application/problem+json';
const ERRORS_MAX = 20;

// The path as the client spelled it, percent-encoded: hono's own is decoded, and no URI any more.
function instanceOf(url: string): string {
  const start = url.indexOf('/', url.indexOf('://') + 3);
  const end = url.slice(start).search(/[?#]/);
  return end < 0 ? url.slice(start) : url.slice(start, start + end);
}

/** Whole seconds for `Retry-After`, at least one. */
export function retryAfter(waitMs: number): { 'Retry-After': string } {
  return { 'Retry-After': String(Math.max(1, Math.ceil(waitMs / 1000))) };
}

/**
 * A problem document without its request.
 *
 * Source: RFC 9457 section 3.
 */
export function problemDocument<C extends ProblemCode>(
  code: C,
  instance: string,
  { detail, status, fields }: Telling<C>,
): Record<string, unknown> {
  const { title, status: usual } = PROBLEMS[code];
  const type = `/problems/${code}`;
  return { type, title, status: status ?? usual, code, detail, instance, ...fields };
}

/**
 * Answers with a problem document of this code. A 503 carries `Retry-After: 1` by itself.
 *
 * Source: RFC 9457 (`application/problem+json`).
 */
export function problem<C extends ProblemCode>(
  c: Context,
  code: C,
  telling: Telling<C>,
): ProblemResponse {
  const status = telling.status ?? PROBLEMS[code].status;
  const document = problemDocument(code, instanceOf(c.req.url), telling);
  const headers: Record<string, string> = { 'Content-Type': PROBLEM_TYPE, ...telling.headers };
  if (status === 503) headers['Retry-After'] ??= '1';
  // Not by `c.body`, for the reason that `created` tells.
  return new Response(JSON.stringify(document), { status, headers }) as ProblemResponse;
}

/** 422 `invalid_request` for one field. `message` reads on after the field's name. */
export function invalid(c: Context, field: string, message: string): ProblemResponse {
  const fields = { errors: [{ field, message }] };
  return problem(c, 'invalid_request', { detail: `${field} ${message}`, fields });
}

function fieldErrors({ issues }: ZodError): { field: string; message: string }[] {
  const messages = new Map<string, string>();
  const tell = (path: PropertyKey[], message: string) => {
    const field = path.length === 0 ? 'body' : path.map(String).join('.');
    if (!messages.has(field) && messages.size < ERRORS_MAX) messages.set(field, message);
  };
  for (const issue of issues) {
    if (issue.code !== 'unrecognized_keys') tell(issue.path, issue.message);
    else for (const key of issue.keys) tell([...issue.path, key], 'is not a field here');
  }
  return [...messages].map(([field, message]) => ({ field, message }));
}

/** Answers a body that its schema refuses with 422 `invalid_request`, naming each field. */
export const refuseInvalid: Hook<unknown, Env, string, Response | undefined> = (result, c) => {
  if (result.success) return undefined;
  const errors = fieldErrors(result.error);
  const detail = errors.map(({ field, message }) => `${field} ${message}`).join('; ');
  return problem(c, 'invalid_request', { detail, fields: { errors } });
};

/** Answers a path or a method that is no route. */
export function notFound(c: Context): ProblemResponse {
  const detail = `There is no ${c.req.method} at this path.`;
  return problem(c, 'not_found', { detail });
}

export const UNAVAILABLE_DETAIL =
  'This could not be done, or is not known to be done. Try again; a repeat with the same ' +
  'Idempotency-Key takes effect once.';

const OVERLOADED_DETAIL = 'Too much waits to be stored. Nothing new was done: try again.';

// Before its body was there; or the server did, for its taking too long.
function hasHungUp({ env }: Context): boolean {
  const { incoming } = (env ?? {}) as Partial<HttpBindings>;
  return incoming?.destroyed === true && !incoming.complete;
}

/**
 * Turns what was thrown into a problem document. What is nobody's fault but ours is logged and told
 * as 503, since its outcome is unknown; nothing is told as 500.
 */
export function createErrorHandler(log: Logger): ErrorHandler {
  return (error, c) => {
    if (error instanceof Unavailable) {
      log.debug({ reason: error.message, code: error.code, path: c.req.path }, 'unavailable');
      const detail = error.code === 'overloaded' ? OVERLOADED_DETAIL : UNAVAILABLE_DETAIL;
      return problem(c, error.code, { detail });
    }
    if (hasHungUp(c)) {
      // Nobody reads this, and whoever does it on purpose is not to fill the log.
      log.debug({ reason: error.message, path: c.req.path }, 'the client hung up');
      return problem(c, 'bad_request', { detail: 'The body was not sent to its end.' });
    }
    if (error instanceof HTTPException && error.status === 400) {
      return problem(c, 'malformed_json', { detail: 'The body is not valid JSON.' });
    }
    if (error instanceof HTTPException && error.status === 415) {
      const detail = 'Send the body as application/json, and say so in Content-Type.';
      return problem(c, 'unsupported_media_type', { detail });
    }
    log.error({ err: error, method: c.req.method, path: c.req.path }, 'request failed');
    return problem(c, 'unavailable', { detail: UNAVAILABLE_DETAIL });
  };
}
