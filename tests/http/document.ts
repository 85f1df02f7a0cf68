import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { pino } from 'pino';
import { expect } from 'vitest';
import { createApp } from '../../src/http/app.ts';
import type { AppDeps } from '../../src/http/deps.ts';
import { codesOf } from '../../src/http/docs/call.ts';
import {
  type Call,
  callsOf,
  nameOf,
  type OpenApi,
  type Schema,
} from '../../src/http/docs/openapi.ts';
import { UNSIGNED } from '../../src/payments/signatures.ts';

async function readDocument(): Promise<OpenApi> {
  // No route is called but the document's own.
  const log = pino({ level: 'silent' });
  const deps: Partial<AppDeps> = { lanes: 1, adminToken: 'none', signing: UNSIGNED, log };
  const response = await createApp(deps as AppDeps).request('/openapi.json');
  return (await response.json()) as OpenApi;
}

/** The OpenAPI document, as a process serves it. */
export const openApi: OpenApi = await readDocument();

/** Every call of the document. */
export const calls: Call[] = callsOf(openApi);

/** Every refusal that the document tells of a call. */
export const refusalsOf = ({ operation }: Call): { status: string; code: string }[] =>
  Object.entries(operation.responses).flatMap(([status, { content = {} }]) => {
    const schema = content['application/problem+json']?.schema;
    return schema ? codesOf(openApi, schema).map((code) => ({ status, code })) : [];
  });

/** `GET /api/products/{id} 404 product_not_found`: what the tests of this file were answered. */
export const seen = new Set<string>();

const ajv = new Ajv2020({ allErrors: true, strict: false, discriminator: true });
formats.default(ajv);

/**
 * A schema by itself, its references followed. In a closed one no object may have other fields:
 * what the API answers is told, all of it, though clients are to let more pass.
 */
function inlined(schema: Schema, isClosed: boolean): object {
  const name = nameOf(schema);
  if (name !== undefined) return inlined(openApi.components.schemas[name] ?? {}, isClosed);
  const { properties, items, additionalProperties: others, allOf, anyOf, oneOf, ...rest } = schema;
  const inner = (part: Schema) => inlined(part, isClosed);
  const fields = Object.entries(properties ?? {}).map(([key, field]) => [key, inner(field)]);
  const isObject = properties !== undefined || allOf !== undefined;
  return {
    ...rest,
    ...(properties ? { properties: Object.fromEntries(fields) } : {}),
    ...(items ? { items: inner(items) } : {}),
    ...(others === undefined || typeof others === 'boolean'
      ? {}
      : { additionalProperties: inner(others) }),
    // Together its parts have all fields, none of them has.
    ...(allOf ? { allOf: allOf.map((part) => inlined(part, false)) } : {}),
    ...(anyOf ? { anyOf: anyOf.map(inner) } : {}),
    ...(oneOf ? { oneOf: oneOf.map(inner) } : {}),
    // Codes are told apart by their enumeration.
    ...('discriminator' in rest ? { type: 'object', discriminator: { propertyName: 'code' } } : {}),
    ...(isClosed && isObject && others === undefined ? { unevaluatedProperties: false } : {}),
  };
}

const validators = new Map<Schema, ValidateFunction>();

/** Fails unless the value is what the schema says, and nothing besides. */
export function expectFits(schema: Schema, value: unknown, what: string): void {
  const validate = validators.get(schema) ?? ajv.compile(inlined(schema, true));
  validators.set(schema, validate);
  const told = validate(value) ? '' : ajv.errorsText(validate.errors, { separator: '\n' });
  expect(told, `${what} is not what /openapi.json says: ${JSON.stringify(value)}`).toBe('');
}

const PARAMETER = /\{\w+\}/g;
const routes = calls
  .map((call) => ({ call, path: new RegExp(`^${call.path.replace(PARAMETER, '[^/]+')}$`) }))
  // A path without parameters is meant before one with.
  .sort((a, b) => a.call.path.split('{').length - b.call.path.split('{').length);

/** What answers on a path: a call of the document, or none. */
const callOf = (method: string, path: string): Call | undefined =>
  routes.find((route) => route.call.method === method && route.path.test(path))?.call;

export interface Told {
  status: number;
  headers: Headers;
  /** Looked at where it is JSON. */
  body?: unknown;
}

function expectHeaders(call: Call, what: string, { status, headers }: Told): void {
  for (const [name, { schema }] of Object.entries(
    call.operation.responses[status]?.headers ?? {},
  )) {
    const value = headers.get(name);
    // Of several codes with one status not each says how long to wait.
    if (value === null && name === 'Retry-After' && status === 409) continue;
    const isNumber = schema.type === 'integer' && value !== null;
    expectFits(schema, isNumber ? Number(value) : value, `${name} of ${what}`);
  }
}

/**
 * Checks an answer against the OpenAPI document: its status is told for the call, with this media
 * type, these headers, and exactly these fields. Every answer that `send` gets is checked; a test
 * that fetches a text or a stream by itself gives the response to it.
 */
export function expectDocumented(method: string, target: string, answer: Told): void {
  // A letter may be spelled by its code, as in the app.
  const path = target.replace(/[?#].*$/, '').replaceAll(/%[2-7][\da-f]/gi, (one) => decodeURI(one));
  const { status, headers, body } = answer;
  const call = callOf(method === 'HEAD' ? 'GET' : method, path);
  if (!call) {
    // No route, so there is nothing but a refusal; whoever has no token is not even told that.
    const refusals = path.startsWith('/api/admin/') ? [404, 401] : [404];
    // Who asks too often is not told either whether a path among those of buyers is a route.
    if (/^\/api\/(products|holds|orders)(\/|$)/.test(path)) refusals.push(429);
    if (path !== '/openapi.json') expect(refusals, `${method} ${path}`).toContain(status);
    return;
  }
  const what = `${method} ${call.path} ${status}`;
  const reply = call.operation.responses[status];
  if (!reply) expect.fail(`${what} is not in /openapi.json: ${JSON.stringify(body)}`);
  const media = headers.get('content-type')?.replace(/;.*$/, '') ?? '';
  const content = reply.content?.[media];
  if (!content) expect.fail(`${what} does not answer ${media}, says /openapi.json`);
  expectHeaders(call, what, answer);
  if (media.endsWith('json')) expectFits(content.schema, body, what);
  const { code } = (body ?? {}) as { code?: string };
  seen.add(status < 400 ? what : `${what} ${code}`);
}
