import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectBooksBalance } from '../support/books.ts';
import { startEngine, type TestEngine } from '../support/engine.ts';
import { ADMIN_TOKEN, appOn, type Client, clientOf, expectProblem } from './support.ts';

let engine: TestEngine;
let client: Client;

beforeAll(async () => {
  engine = await startEngine({ config: { lanes: 2 } });
  client = clientOf(appOn(engine));
});
afterAll(async () => {
  await expectBooksBalance(engine);
  await engine.stop();
});

const CALLS = [
  ['POST', '/products', { name: 'x', price: '1.00', currency: 'USD', total_stock: 1 }],
  ['PATCH', '/products/1', { name: 'x' }],
  ['POST', '/products/1/stock', { delta: 1, key: 'k' }],
  ['POST', '/products/1/pause', undefined],
  ['POST', '/products/1/resume', undefined],
  ['GET', '/overview', undefined],
  ['GET', '/dead-letters', undefined],
  ['POST', '/dead-letters/0.1-1.0/replay', undefined],
  ['POST', '/reconciliations', {}],
  ['GET', '/reconciliations', undefined],
  ['GET', '/orders', undefined],
  ['GET', '/history/pay-1', undefined],
  ['GET', '/nothing', undefined],
] as const;

describe.for(CALLS)('%s /api/admin%s', ([method, path, body]) => {
  test.for([
    undefined,
    '',
    ADMIN_TOKEN,
    'Bearer',
    'Bearer ',
    `Basic ${ADMIN_TOKEN}`,
    `Bearer ${ADMIN_TOKEN}x`,
    `Bearer ${ADMIN_TOKEN.slice(0, -1)}`,
    `Bearer ${ADMIN_TOKEN.toUpperCase()}`,
    `Bearer ${ADMIN_TOKEN} x`,
  ])('needs the token: %j', async (given) => {
    const headers: Record<string, string> = given === undefined ? {} : { Authorization: given };
    const answer = await client.raw(method, `/api/admin${path}`, body, headers);
    expectProblem(answer, 'unauthorized');
    expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer realm="[^"]+"/);
  });

  test('is not there without a configured token', async () => {
    const closed = clientOf(appOn(engine, { adminToken: undefined }));
    const headers = { Authorization: 'Bearer undefined' };
    expectProblem(await closed.raw(method, `/api/admin${path}`, body, headers), 'not_found');
  });
});
