import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import type { RequestLimit } from '../../src/http/rate-limit.ts';
import { type Listening, listen } from '../../src/http/server.ts';
import { LIMIT_PREFIX } from '../../src/redis/keys.ts';
import { Limiter } from '../../src/redis/limiter.ts';
import { expectBooksBalance } from '../support/books.ts';
import { unique } from '../support/buying.ts';
import { makeProduct, startEngine, type TestEngine } from '../support/engine.ts';
import { eventually } from '../support/wait.ts';
import { sayTo } from './sockets.ts';
import { type Answer, AUTHORIZATION, appOn, clientOf, expectProblem, send } from './support.ts';

const REQUESTS = 5;
/** Longer than any test here, and than the configuration allows. */
const WINDOW_MS = 600_000;

let engine: TestEngine;
let productId: number;

beforeAll(async () => {
  engine = await startEngine();
  productId = (await makeProduct(engine, { totalStock: 1_000 })).id;
});
afterAll(async () => {
  await expectBooksBalance(engine);
  await engine.stop();
});

/** Counts in the engine's Redis under names of this test's own. */
function limitOn({ link }: Pick<TestEngine, 'link'>, changes: Partial<RequestLimit> = {}) {
  const limiter = new Limiter(link.redis, { requests: REQUESTS, windowMs: WINDOW_MS });
  const take = (client: string) => limiter.take(client);
  return { by: 'address' as const, trustedProxyHops: 0, take, ...changes };
}

async function serving(limit: RequestLimit): Promise<Listening> {
  const server = await listen(appOn(engine, { limit }), { host: '127.0.0.1', port: 0 });
  onTestFinished(() => server.close());
  return server;
}

/** Reads the product; header lines of the same name stay several lines. */
async function read({ url }: Listening, headers: Record<string, string[]> = {}) {
  const sent = request(`${url}/api/products/${productId}`, { headers, agent: false }).end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  await response.toArray();
  return response.statusCode;
}

const statuses = async (count: number, ask: (index: number) => Promise<number | undefined>) => {
  const all: (number | undefined)[] = [];
  for (let index = 0; index < count; index += 1) all.push(await ask(index));
  return all;
};
const allowedThenRefused = [...Array(REQUESTS).fill(200), 429, 429];

const limitKeys = () => engine.redis.keys(`${LIMIT_PREFIX}*`);
const forget = async () => {
  for (const key of await limitKeys()) await engine.redis.del(key);
};

function expectLimited(answer: Answer): void {
  expectProblem(answer, 'rate_limited');
  const waitMs = answer.body.retry_after_ms as number;
  expect(waitMs).toBeGreaterThan(0);
  expect(waitMs).toBeLessThanOrEqual(WINDOW_MS);
  expect(answer.headers.get('retry-after')).toBe(String(Math.ceil(waitMs / 1000)));
}

test('off, there is no limit and no key', async () => {
  const client = clientOf(appOn(engine));
  const answers = await Promise.all(
    Array.from({ length: 10 * REQUESTS }, () => client.get(`/api/products/${productId}`)),
  );
  expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
  expect(await limitKeys()).toEqual([]);
});

test('one too many is refused on every call of buyers, and on no other', async () => {
  await forget();
  const client = clientOf(appOn(engine, { limit: limitOn(engine) }));
  const hold = { product_id: productId, qty: 1 };
  for (let count = 0; count < REQUESTS; count += 1) {
    expect((await client.post('/api/holds', hold)).status).toBe(201);
  }
  const refused = [
    await client.post('/api/holds', hold),
    await client.post('/api/holds', '{'),
    await client.get('/api/holds/hold_x'),
    await client.remove('/api/holds/hold_x'),
    await client.post('/api/holds/hold_x/extend'),
    await client.post('/api/orders', { hold_id: 'hold_x' }),
    await client.get('/api/orders/order_x'),
    await client.remove('/api/orders/order_x'),
    await client.get('/api/products'),
    await client.get(`/api/products/${productId}`),
    await client.get(`/api/products/${productId}/stream`),
    await client.get('/api/products/'),
    await client.raw('GET', '/api/product%73'),
  ];
  for (const answer of refused) expectLimited(answer);
  const event = { order_id: 'order_x', reference: unique('pay'), status: 'success' };
  for (let count = 0; count < 2 * REQUESTS; count += 1) {
    expectProblem(await client.post('/api/payments/webhook', event), 'order_not_found', {}, 422);
    expect((await client.admin('GET', '/overview')).status).toBe(200);
    for (const path of ['/healthz', '/readyz', '/metrics', '/openapi.json']) {
      expect((await client.get(path)).status).toBe(200);
    }
  }
});

test('what is refused costs Redis nothing', async () => {
  await forget();
  const client = clientOf(appOn(engine, { limit: limitOn(engine) }));
  for (let count = 0; count < 4 * REQUESTS; count += 1) await client.get('/api/products');
  const [key = ''] = await limitKeys();
  expect(await engine.redis.get(key)).toBe(String(REQUESTS + 1));
  expect(await engine.redis.pttl(key)).toBeGreaterThan(0);
});

test('after the wait it may go on', async () => {
  const limiter = new Limiter(engine.link.redis, { requests: 1, windowMs: 1_000 });
  const limit = limitOn(engine, { take: () => limiter.take('waits') });
  const client = clientOf(appOn(engine, { limit }));
  const refused = await eventually(async () => {
    const answer = await client.get('/api/products');
    expect(answer.status).toBe(429);
    return answer;
  });
  expectLimited(refused);
  expect(refused.headers.get('retry-after')).toBe('1');
  await eventually(async () => expect((await client.get('/api/products')).status).toBe(200));
});

test('buyers do not share a limit; a hold without one counts for its address', async () => {
  await forget();
  const client = clientOf(appOn(engine, { limit: limitOn(engine, { by: 'buyer' }) }));
  const hold = async (buyer?: string) =>
    (await client.post('/api/holds', { product_id: productId, qty: 1, buyer })).status;
  const expected = [...Array(REQUESTS).fill(201), 429, 429];
  for (const buyer of ['ada', 'address:unknown', undefined, 'grace']) {
    expect(await statuses(REQUESTS + 2, () => hold(buyer)), buyer).toEqual(expected);
  }
  expectLimited(
    await client.post('/api/holds', { items: [{ product_id: productId, qty: 1 }], buyer: 'ada' }),
  );
  // Neither what is wrong nor what only reads counts for a buyer.
  for (let count = 0; count < 2 * REQUESTS; count += 1) {
    expectProblem(await client.post('/api/holds', { qty: 1, buyer: 'eve' }), 'invalid_request');
    expect((await client.get('/api/products')).status).toBe(200);
  }
  expect(await hold('eve')).toBe(201);
});

test('processes on the same Redis share the limit', async () => {
  await forget();
  const other = await engine.another({ config: { roles: ['api'] } });
  const clients = [limitOn(engine), limitOn(other)].map((limit) =>
    clientOf(appOn(engine, { limit })),
  );
  const answers = await statuses(REQUESTS + 2, async (index) => {
    return (await clients[index % 2]?.get('/api/products'))?.status;
  });
  expect(answers).toEqual(allowedThenRefused);
});

test('without proxies a forged X-Forwarded-For does not help', async () => {
  await forget();
  const server = await serving(limitOn(engine));
  const forge = (index: number) => read(server, { 'X-Forwarded-For': [`198.51.100.${index}`] });
  expect(await statuses(REQUESTS + 2, forge)).toEqual(allowedThenRefused);
  expect(await limitKeys()).toEqual([`${LIMIT_PREFIX}:address:127.0.0.1`]);
});

test('behind a proxy only what the proxy says counts, however the client lies', async () => {
  await forget();
  const server = await serving(limitOn(engine, { trustedProxyHops: 1 }));
  const through = (seen: string) => (index: number) => {
    const forged = `198.51.100.${index}`;
    // In the client's own line, in a line before the proxy's, and again in thousands of entries.
    const lines = [[`${forged}, ${seen}`], [forged, seen], [`${`${forged},`.repeat(900)}${seen}`]];
    return read(server, { 'X-Forwarded-For': lines[index % lines.length] ?? [] });
  };
  expect(await statuses(REQUESTS + 2, through('203.0.113.7'))).toEqual(allowedThenRefused);
  expect(await statuses(1, through('203.0.113.8'))).toEqual([200]);
  const neighbours = (index: number) => through(`2001:db8::${index}`)(index);
  expect(await statuses(REQUESTS + 2, neighbours)).toEqual(allowedThenRefused);
});

test("thousands of header lines do not push the proxy's own out", async () => {
  await forget();
  const server = await serving(limitOn(engine, { trustedProxyHops: 1 }));
  const many = async (index: number) => {
    const head =
      `GET /api/products/${productId} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n` +
      `X-Forwarded-For: 198.51.100.${index}\r\n${'a:b\r\n'.repeat(2_500)}`;
    const answer = await sayTo(server.port, `${head}X-Forwarded-For: 203.0.113.7\r\n\r\n`);
    return Number(answer.head.split(' ')[1]);
  };
  expect(await statuses(REQUESTS + 2, many)).toEqual(allowedThenRefused);
});

test('with Redis away it is 503, and 429 for nobody', async () => {
  const cut = await engine.another({ config: { roles: ['api'] } });
  const app = appOn(engine, { engine: cut.engine, limit: limitOn(cut) });
  await cut.close();
  const hold = { product_id: productId, qty: 1 };
  for (let count = 0; count < 3 * REQUESTS; count += 1) {
    const answer = await send((path, init) => app.request(path, init), 'POST', '/api/holds', hold, {
      ...AUTHORIZATION,
    });
    expectProblem(answer, 'unavailable');
  }
});
