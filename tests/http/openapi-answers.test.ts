import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Unavailable } from '../../src/domain/unavailable.ts';
import { BODY_BYTES_MAX } from '../../src/http/budgets.ts';
import type { AppDeps } from '../../src/http/deps.ts';
import { type Call, exampleOf } from '../../src/http/docs/openapi.ts';
import { startEngine, type TestEngine } from '../support/engine.ts';
import { calls, openApi, refusalsOf, seen } from './document.ts';
import { AUTHORIZATION, appOn, type Client, clientOf } from './support.ts';

// `send` checks every answer of every HTTP test against the document. Here each call is made as its
// examples tell it, whatever calls there are; what takes a sale to be refused is in their own tests.

let engine: TestEngine;
let client: Client;

beforeAll(async () => {
  engine = await startEngine();
  client = clientOf(appOn(engine));
});
afterAll(() => engine.stop());

/** A part of the app that throws whatever is asked of it. */
function away(error: Error): never {
  const part: object = new Proxy(() => undefined, {
    get: () => part,
    apply: () => {
      throw error;
    },
  });
  return part as never;
}

/** The API while what it stands on cannot be reached. */
function apiWithout(error: Error): Client {
  const part = away(error);
  const without: Partial<AppDeps> = {
    engine: part,
    payments: part,
    deadLetters: part,
    ready: part,
    reconcile: part,
    reconciliations: part,
  };
  return clientOf(appOn(engine, without));
}

/** Makes the call as the document's examples tell it, or with other parameters, body or headers. */
function make(
  to: Client,
  { method, path, operation }: Call,
  { id, body, ...headers }: { id?: string; body?: unknown; [header: string]: unknown } = {},
) {
  const { parameters = [], requestBody, security } = operation;
  const target = path.replaceAll(/\{(\w+)\}/g, (_, name) => {
    return id ?? String(parameters.find((parameter) => parameter.name === name)?.example);
  });
  const schema = requestBody?.content['application/json']?.schema;
  const sent = body ?? (schema && exampleOf(openApi, schema));
  const known = security ? AUTHORIZATION : {};
  return to.raw(method, target, sent, { ...known, ...(headers as Record<string, string>) });
}

const isTold = (call: Call, code: string) => refusalsOf(call).some(({ code: one }) => one === code);

/** Calls that a code is told of, as `test.for` wants them. */
const refusing = (code: string) => calls.filter((call) => isTold(call, code));

describe.for(['unavailable', 'overloaded'] as const)('while it is %s', (code) => {
  test.for(refusing(code))('$method $path says so', async (call) => {
    const { body, headers } = await make(apiWithout(new Unavailable('a test', code)), call);
    expect(body.code).toBe(code);
    expect(headers.get('retry-after')).toBe('1');
  });
});

const BODIES: [code: string, changes: { body: unknown; [header: string]: unknown }][] = [
  ['malformed_json', { body: '{"' }],
  ['body_too_large', { body: `"${'x'.repeat(BODY_BYTES_MAX)}"` }],
  ['unsupported_media_type', { body: '{}', 'Content-Type': 'text/plain' }],
  ['invalid_request', { body: '[]' }],
];
describe.for(BODIES)('a body that is %s', ([code, changes]) => {
  test.for(refusing(code))('is refused by $method $path', async (call) => {
    expect((await make(client, call, changes)).body.code).toBe(code);
  });
});

test('every call with a body can refuse it in each of these ways', () => {
  const withBody = calls.filter(({ operation }) => operation.requestBody);
  expect(withBody.length).toBeGreaterThan(0);
  for (const [code] of BODIES) expect(refusing(code)).toEqual(withBody);
});

describe('of what admins may do', () => {
  test.for(refusing('unauthorized'))('$method $path needs the token', async (call) => {
    expect((await make(client, call, { Authorization: 'Bearer no' })).body.code).toBe(
      'unauthorized',
    );
    const closed = clientOf(appOn(engine, { adminToken: undefined }));
    expect((await make(closed, call)).body.code).toBe('not_found');
  });
});

test.for(calls.filter(({ path }) => path.includes('{')))(
  '$method $path does not know an id that is none',
  async (call) => {
    const { status, body } = await make(client, call, { id: 'nobody' });
    expect(status).toBe(404);
    expect(body.code).toMatch(/_not_found$/);
  },
);

test.for(calls.filter(({ path, operation }) => !path.includes('{') && !operation.requestBody))(
  '$method $path answers',
  async (call) => {
    expect((await make(client, call)).status).toBe(200);
  },
);

test('each of these refusals was seen of each call that tells it', () => {
  const codes = [
    'unavailable',
    'overloaded',
    'unauthorized',
    'not_found',
    ...BODIES.map(([c]) => c),
  ];
  const told = calls.flatMap((call) =>
    refusalsOf(call)
      .filter(({ code }) => codes.includes(code))
      .map(({ status, code }) => `${call.method} ${call.path} ${status} ${code}`),
  );
  expect(told.filter((one) => !seen.has(one))).toEqual([]);
});
