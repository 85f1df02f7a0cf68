import { afterAll, beforeAll, expect, test } from 'vitest';
import { PROBLEMS, type ProblemCode } from '../../src/http/problem-table.ts';
import { startEngine, type TestEngine } from '../support/engine.ts';
import { appOn, clientOf } from './support.ts';

interface Media {
  schema: { $ref?: string; oneOf?: { $ref: string }[] };
}
interface Operation {
  operationId: string;
  parameters?: { name: string; in: string; required: boolean }[];
  requestBody?: { required: boolean; content: Record<string, Media> };
  responses: Record<string, { description: string; content?: Record<string, Media> }>;
  security?: object[];
}
interface Schema {
  required?: string[];
  properties?: Record<string, { enum?: string[] }>;
}
interface Document {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema> };
}

let engine: TestEngine;
let document: Document;

beforeAll(async () => {
  engine = await startEngine();
  const { status, body } = await clientOf(appOn(engine)).get('/openapi.json');
  expect(status).toBe(200);
  document = body as unknown as Document;
});
afterAll(() => engine.stop());

const BODY =
  '400 malformed_json, 413 body_too_large, 415 unsupported_media_type, 422 invalid_request';
const ADMIN = '401 unauthorized, 404 not_found, 503 unavailable';
/** Whom `RATE_LIMIT` limits. */
const LIMITED = /^\w+ \/api\/(products|holds|orders)\b/;
const UNSIGNED = '400 bad_signature, 404 not_found';
const WAITS = '503 unavailable, 503 overloaded';

// The contract, route by route: success, then every refusal, then what is not answered as JSON. A new
// route needs a line here and a request in requests.http; the other tests take it from the document.
const CONTRACT: [call: string, success: number, refusals: string, media?: string][] = [
  ['get /api/products', 200, '503 unavailable'],
  ['get /api/products/{id}', 200, '404 product_not_found, 503 unavailable'],
  ['get /api/products/{id}/stream', 200, `404 product_not_found, ${WAITS}`, 'text/event-stream'],
  [
    'post /api/holds',
    201,
    `${BODY}, ${WAITS}, 404 product_not_found, 409 sold_out, 409 buyer_limit, ` +
      '409 sale_not_started, 409 sale_ended, 409 sale_paused, 422 qty_above_limit, ' +
      '422 idempotency_mismatch, 422 items_in_different_lanes, 422 mixed_currencies',
  ],
  ['get /api/holds/{hold_id}', 200, '404 hold_not_found, 503 unavailable'],
  [
    'delete /api/holds/{hold_id}',
    200,
    '404 hold_not_found, 409 hold_used, 410 hold_expired, 503 unavailable',
  ],
  [
    'post /api/holds/{hold_id}/extend',
    200,
    '404 hold_not_found, 409 hold_used, 409 extension_not_allowed, 410 hold_expired, ' +
      '410 hold_released, 503 unavailable',
  ],
  [
    'post /api/orders',
    201,
    `${BODY}, ${WAITS}, 404 hold_not_found, 409 hold_used, 410 hold_expired, ` +
      '410 hold_released, 422 idempotency_mismatch',
  ],
  ['get /api/orders/{order_id}', 200, '404 order_not_found, 503 unavailable'],
  [
    'delete /api/orders/{order_id}',
    200,
    `${WAITS}, 404 order_not_found, 409 order_paid, 410 order_expired`,
  ],
  [
    'post /api/payments/webhook',
    200,
    `${BODY}, ${WAITS}, ${UNSIGNED}, 409 reference_conflict, 422 order_not_found, 422 order_not_paid`,
  ],
  [
    'post /api/payments/stripe',
    200,
    `${BODY}, ${WAITS}, ${UNSIGNED}, 409 reference_conflict, 422 order_not_found, 422 order_not_paid`,
  ],
  ['post /api/admin/products', 201, `${BODY}, ${ADMIN}`],
  ['patch /api/admin/products/{id}', 200, `${BODY}, ${ADMIN}, 404 product_not_found`],
  [
    'post /api/admin/products/{id}/stock',
    200,
    `${BODY}, ${ADMIN}, 404 product_not_found, 409 insufficient_available, ` +
      '422 idempotency_mismatch',
  ],
  ['post /api/admin/products/{id}/pause', 200, `${ADMIN}, 404 product_not_found`],
  ['post /api/admin/products/{id}/resume', 200, `${ADMIN}, 404 product_not_found`],
  [
    'post /api/admin/reconciliations',
    200,
    `${BODY}, ${ADMIN}, 404 product_not_found, 409 reconcile_busy`,
  ],
  ['get /api/admin/reconciliations', 200, ADMIN],
  ['get /api/admin/overview', 200, ADMIN],
  ['get /api/admin/orders', 200, `${ADMIN}, 422 invalid_request`],
  ['get /api/admin/refunds', 200, `${ADMIN}, 422 invalid_request`],
  [
    'post /api/admin/refunds/{order_id}/done',
    200,
    `${BODY}, ${ADMIN}, 404 order_not_found, 409 no_refund_due, 503 overloaded`,
  ],
  [
    'post /api/admin/orders/{order_id}/refund',
    200,
    `${BODY}, ${ADMIN}, 404 order_not_found, 409 order_not_paid, 503 overloaded`,
  ],
  ['get /api/admin/history/{id}', 200, `${ADMIN}, 404 history_not_found`],
  ['get /api/admin/dead-letters', 200, ADMIN],
  [
    'post /api/admin/dead-letters/{id}/replay',
    200,
    `${ADMIN}, 404 dead_letter_not_found, 409 still_refused`,
  ],
  ['get /healthz', 200, ''],
  ['get /readyz', 200, '503 unavailable'],
  ['get /metrics', 200, '', 'text/plain'],
];

const schemaOf = (ref: string | undefined): Schema =>
  document.components.schemas[ref?.replace('#/components/schemas/', '') ?? ''] ?? {};

function operationOf(call: string): Operation {
  const [method = '', path = ''] = call.split(' ');
  const operation = document.paths[path]?.[method];
  if (!operation) throw new Error(`${call} is not in the document`);
  return operation;
}

test('it is OpenAPI 3.1 and has every route, and no other', () => {
  expect(document.openapi).toBe('3.1.0');
  const calls = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method} ${path}`),
  );
  expect(calls.sort()).toEqual(CONTRACT.map(([call]) => call).sort());
  const ids = calls.map((call) => operationOf(call).operationId);
  expect(new Set(ids).size).toBe(ids.length);
});

test.for(CONTRACT)('%s: %i, and each refusal', ([call, success, refusals, media]) => {
  const { responses } = operationOf(call);
  const told: string[] = [];
  for (const [status, { content }] of Object.entries(responses)) {
    if (status === String(success)) {
      expect(Object.keys(content ?? {})).toEqual([media ?? 'application/json']);
      continue;
    }
    const { $ref, oneOf } = content?.['application/problem+json']?.schema ?? {};
    for (const ref of oneOf?.map((one) => one.$ref) ?? [$ref]) {
      told.push(`${status} ${schemaOf(ref).properties?.code?.enum?.[0]}`);
    }
  }
  const expected = refusals === '' ? [] : refusals.split(', ');
  if (LIMITED.test(call)) expected.push('429 rate_limited');
  expect(told.sort()).toEqual(expected.sort());
});

test('every code that any route refuses with is in the table, and none is left over', () => {
  const told = new Set(CONTRACT.flatMap(([, , refusals]) => refusals.match(/[a-z_]+/g) ?? []));
  // Told of requests that reach no route.
  told.add('bad_request').add('rate_limited');
  expect([...told].sort()).toEqual((Object.keys(PROBLEMS) as ProblemCode[]).sort());
});

test('bodies are required, path parameters and keys are described', () => {
  for (const [call] of CONTRACT) {
    const { requestBody, parameters = [], security } = operationOf(call);
    const takesBody = /^(post|patch)/.test(call) && !/(pause|resume|replay|extend)$/.test(call);
    expect(requestBody?.required, call).toBe(takesBody ? true : undefined);
    const inPath = parameters.filter(({ in: where }) => where === 'path');
    expect(inPath.map(({ name }) => `{${name}}`).join(), call).toBe(
      /\{.*?\}/.exec(call)?.[0] ?? '',
    );
    const isKeyed = call === 'post /api/holds' || call === 'post /api/orders';
    const keys = parameters.filter(({ name }) => name === 'Idempotency-Key');
    expect(keys.length, call).toBe(isKeyed ? 1 : 0);
    expect(security !== undefined, call).toBe(call.includes('/api/admin/'));
  }
});

test('every reference leads somewhere, and a problem has what RFC 9457 asks for', () => {
  const refs = JSON.stringify(document).match(/#\/components\/schemas\/\w+/g) ?? [];
  expect(refs.length).toBeGreaterThan(0);
  for (const ref of refs) expect(Object.keys(schemaOf(ref)), ref).not.toEqual([]);
  const problems = Object.entries(document.components.schemas).filter(([name]) =>
    name.endsWith('Problem'),
  );
  expect(problems.length).toBe(Object.keys(PROBLEMS).length - 1);
  for (const [name, { required }] of problems) {
    const members = ['type', 'title', 'status', 'code', 'detail', 'instance'];
    expect(required, name).toEqual(expect.arrayContaining(members));
  }
});
