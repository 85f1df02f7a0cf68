import type { OpenAPIHono } from '@hono/zod-openapi';
import { pino } from 'pino';
import { expect } from 'vitest';
import { createApp } from '../../src/http/app.ts';
import type { AppDeps } from '../../src/http/deps.ts';
import { PROBLEMS, type ProblemCode, problemSchema } from '../../src/http/problem-table.ts';
import { UNSIGNED } from '../../src/payments/signatures.ts';
import type { TestEngine } from '../support/engine.ts';
import { expectDocumented } from './document.ts';

export const ADMIN_TOKEN = 'a-token-of-the-tests';
export const AUTHORIZATION = { Authorization: `Bearer ${ADMIN_TOKEN}` };

export const ISO_TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/;
export const HOLD_ID = /^hold_[0-9a-z]{26}$/;
export const ORDER_ID = /^order_[0-9a-z]{26}$/;

/** Well-formed ids that nobody has, and texts that are no ids; all are unknown alike. */
export const unknownIds = (prefix: 'hold' | 'order') => [
  `${prefix}_01jzc0000000000000000000000`.slice(0, prefix.length + 27),
  // Of a lane that this Holdfast does not have.
  `${prefix}_01jzc00000fzz00000000000000`.slice(0, prefix.length + 27),
  `${prefix}_`,
  `${prefix}_zzzzzzzzzzzzzzzzzzzzzzzzzz`,
  `${prefix}_01jzc000000000000000000000!`,
  `${prefix === 'hold' ? 'order' : 'hold'}_01jzc000000000000000000000`,
  '42',
  'null',
  '%00',
  '%E0%A4%A',
  'a'.repeat(2_000),
];

/** The HTTP API on a test's engine. */
export function appOn(engine: TestEngine, changes: Partial<AppDeps> = {}): OpenAPIHono {
  return createApp({
    engine: engine.engine,
    payments: engine.inbox,
    signing: UNSIGNED,
    deadLetters: engine.deadLetters,
    refunds: engine.refunds,
    ready: engine.ready,
    metrics: engine.metrics.read,
    listening: engine.metrics.listening,
    reconcile: engine.reconcile,
    reconciliations: engine.reconciliations,
    adminToken: ADMIN_TOKEN,
    log: pino({ level: 'silent' }),
    lanes: engine.config.lanes,
    ...changes,
  });
}

export interface Answer {
  path: string;
  status: number;
  headers: Headers;
  body: Record<string, unknown>;
}

type Fetch = (path: string, init: RequestInit) => Response | Promise<Response>;

const isJson = (headers: Headers) =>
  /^application\/(problem\+)?json$/.test(headers.get('content-type') ?? '');

/**
 * Sends what it is given; an object goes as JSON, a text as it is. The answer must be one that the
 * OpenAPI document has, unless it is not `isDescribed`: of an app that serves no document.
 */
export async function send(
  fetch: Fetch,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
  isDescribed = true,
): Promise<Answer> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const init: RequestInit = { method, headers: { 'Content-Type': 'application/json', ...headers } };
  const response = await fetch(
    path,
    body === undefined ? { method, headers } : { ...init, body: text },
  );
  const answer = isJson(response.headers)
    ? ((await response.json()) as Record<string, unknown>)
    : { text: await response.text() };
  const told = { status: response.status, headers: response.headers, body: answer };
  if (isDescribed) expectDocumented(method, path, told);
  return { path, ...told };
}

/** A buyer's or a shop's HTTP client, without a network. */
export function clientOf(app: OpenAPIHono) {
  const isDescribed = app.routes.some(({ path }) => path === '/openapi.json');
  const fetch: Fetch = (path, init) => app.request(path, init);
  return {
    get: (path: string) => send(fetch, 'GET', path, undefined, {}, isDescribed),
    raw: (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
      send(fetch, method, path, body, headers),
    /** Bytes, or nothing, without a Content-Type. */
    untyped: (method: string, path: string, body: Uint8Array<ArrayBuffer> | null = null) =>
      send(() => app.request(path, { method, headers: AUTHORIZATION, body }), method, path),
    remove: (path: string) => send(fetch, 'DELETE', path),
    post: (path: string, body?: unknown, headers?: Record<string, string>) =>
      send(fetch, 'POST', path, body, headers),
    admin: (method: string, path: string, body?: unknown) =>
      send(fetch, method, `/api/admin${path}`, body, AUTHORIZATION),
  };
}

export type Client = ReturnType<typeof clientOf>;

/**
 * Checks a refusal whole: status, media type, every member of RFC 9457, and exactly the fields that
 * its code has in the OpenAPI document. `fields` are those whose values the test knows.
 */
export function expectProblem(
  { path, status, headers, body }: Answer,
  code: ProblemCode,
  fields: Record<string, unknown> = {},
  expectedStatus: number = PROBLEMS[code].status,
): void {
  expect(body).toMatchObject({ code, ...fields });
  expect(problemSchema(code).parse(body)).toEqual(body);
  expect(status).toBe(expectedStatus);
  expect(headers.get('content-type')).toBe('application/problem+json');
  expect(body).toMatchObject({
    type: `/problems/${code}`,
    title: PROBLEMS[code].title,
    status: expectedStatus,
    instance: path.replace(/[?#].*$/, ''),
  });
  expect(body.detail).not.toBe('');
  if (status === 503) expect(headers.get('retry-after')).toBe('1');
}

/** Checks a 422 that names exactly these fields. */
export function expectInvalid(answer: Answer, fields: string[]): void {
  expectProblem(answer, 'invalid_request');
  const errors = answer.body.errors as { field: string; message: string }[];
  expect(errors.map(({ field }) => field).sort()).toEqual([...fields].sort());
}
