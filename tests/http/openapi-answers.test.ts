import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Unavailable } from '../../src/domain/unavailable.ts';
import { BODY_BYTES_MAX } from '../../src/http/budgets.ts';
import type { AppDeps } from '../../src/http/deps.ts';
import {
  type Call,
  exampleOf,
  exampleOfParameter,
  type Parameter,
} from '../../src/http/docs/openapi.ts';
import type { Signing } from '../../src/payments/signatures.ts';
import { startEngine, type TestEngine } from '../support/engine.ts';
import { calls, openApi, refusalsOf, seen } from './document.ts';
import { AUTHORIZATION, appOn, type Client, clientOf, expectInvalid } from './support.ts';

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
    refunds: part,
    deadLetters: part,
    ready: part,
    reconcile: part,
    reconciliations: part,
  };
  return clientOf(appOn(engine, without));
}

const told = (parameter: Parameter) => String(exampleOfParameter(openApi, parameter));

const queryOf = ({ operation }: Call): Parameter[] =>
  (operation.parameters ?? []).filter((parameter) => parameter.in === 'query');

interface Changes {
  id?: string;
  query?: Record<string, string>;
  body?: unknown;
  [header: string]: unknown;
}

/**
 * Makes the call as the document's examples tell it, or with another id, body or headers; with a
 * query only where one is given.
 */
function make(
  to: Client,
  { method, path, operation }: Call,
  { id, query = {}, body, ...headers }: Changes = {},
) {
  const { parameters = [], requestBody, security } = operation;
  const filled = path.replaceAll(/\{(\w+)\}/g, (_, name) => {
    const parameter = parameters.find((one) => one.name === name);
    return id ?? (parameter ? told(parameter) : expect.fail(`${path} does not describe ${name}`));
  });
  const target = [filled, new URLSearchParams(query)].filter(String).join('?');
  const schema = requestBody?.content['application/json']?.schema;
  const sent = body ?? (schema && exampleOf(openApi, schema));
  const known = security ? AUTHORIZATION : {};
  return to.raw(method, target, sent, { ...known, ...(headers as Record<string, string>) });
}

const hasBody = ({ operation }: Call) => operation.requestBody !== undefined;

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

describe('over the limit of its address', () => {
  test.for(calls)('$method $path says so where that is told, and only there', async (call) => {
    const limit = { by: 'address', trustedProxyHops: 0, take: async () => 1_500 } as const;
    const { body, headers } = await make(clientOf(appOn(engine, { limit })), call);
    expect(body.code === 'rate_limited').toBe(isTold(call, 'rate_limited'));
    if (isTold(call, 'rate_limited')) expect(headers.get('retry-after')).toBe('2');
  });
});

describe('of what providers send', () => {
  const signing = (how: Signing) =>
    clientOf(appOn(engine, { signing: { standard: how, stripe: how } }));

  test.for(refusing('bad_signature'))('$method $path needs the signature', async (call) => {
    const refused = await make(signing({ kind: 'signed', verify: () => false }), call);
    expect(refused.body.code).toBe('bad_signature');
    expect((await make(signing({ kind: 'off' }), call)).body.code).toBe('not_found');
  });
});

const BODIES: [code: string, changes: { body: unknown; [header: string]: unknown }][] = [
  ['malformed_json', { body: '{"' }],
  ['body_too_large', { body: `"${'x'.repeat(BODY_BYTES_MAX)}"` }],
  ['unsupported_media_type', { body: '{}', 'Content-Type': 'text/plain' }],
  ['invalid_request', { body: '[]' }],
];
describe.for(BODIES)('a body that is %s', ([code, changes]) => {
  const withBody = refusing(code).filter(hasBody);
  test.for(withBody)('is refused by $method $path', async (call) => {
    expect((await make(client, call, changes)).body.code).toBe(code);
  });
});

test('every call with a body can refuse it in each of these ways', () => {
  const withBody = calls.filter(hasBody);
  expect(withBody.length).toBeGreaterThan(0);
  for (const [code] of BODIES) expect(refusing(code).filter(hasBody)).toEqual(withBody);
  // Of the others, a query can be invalid.
  const others = BODIES.flatMap(([code]) => refusing(code).filter((call) => !hasBody(call)));
  expect(others).toEqual(refusing('invalid_request').filter((call) => queryOf(call).length > 0));
});

describe('a query', () => {
  const withQuery = calls.filter((call) => queryOf(call).length > 0);

  test.for(withQuery)('as the examples of $method $path is answered', async (call) => {
    const query = Object.fromEntries(queryOf(call).map((one) => [one.name, told(one)]));
    expect((await make(client, call, { query })).status).toBe(200);
  });

  const refusable = refusing('invalid_request').flatMap((call) =>
    queryOf(call).map(({ name }) => ({ ...call, call, name })),
  );
  test.for(refusable)('$method $path refuses another $name', async ({ call, name }) => {
    // No id, name, time, number or word of any kind.
    expectInvalid(await make(client, call, { query: { [name]: '!' } }), [name]);
  });
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
    ...['unavailable', 'overloaded', 'rate_limited'],
    ...['unauthorized', 'bad_signature', 'not_found'],
    ...BODIES.map(([c]) => c),
  ];
  const expected = calls.flatMap((call) =>
    refusalsOf(call)
      .filter(({ code }) => codes.includes(code))
      .map(({ status, code }) => `${call.method} ${call.path} ${status} ${code}`),
  );
  expect(expected.filter((one) => !seen.has(one))).toEqual([]);
});
