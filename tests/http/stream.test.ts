import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { compose } from '../../src/compose.ts';
import type { AppDeps } from '../../src/http/deps.ts';
import { type Listening, listen } from '../../src/http/server.ts';
import { laneKey } from '../../src/redis/keys.ts';
import { atOnce, held, hold, tally, unique } from '../support/buying.ts';
import { makeProduct, seconds, startEngine, type TestEngine } from '../support/engine.ts';
import { listenTo } from '../support/events.ts';
import { captureLog } from '../support/log.ts';
import { eventually } from '../support/wait.ts';
import { startWay } from '../support/way.ts';
import { appOn, type Client, clientOf, expectProblem } from './support.ts';

const HOST = '127.0.0.1';
/** Requests in flight may take 10 s; streams are none of those. */
const CLOSED_WITHIN_MS = 2_000;

let engine: TestEngine;
let server: Listening;
let client: Client;
let listeners = 0;

const serve = (changes: Partial<AppDeps> = {}) =>
  listen(appOn(engine, { listening: count, ...changes }), { host: HOST, port: 0 });
const count = (change: number) => {
  listeners += change;
};

beforeAll(async () => {
  engine = await startEngine();
  client = clientOf(appOn(engine));
  server = await serve();
});
afterAll(async () => {
  await server.close();
  await engine.stop();
});

const streamOf = ({ id }: { id: number }, { url } = server) => `${url}/api/products/${id}/stream`;
const everybodyHasLeft = () => eventually(() => expect(listeners).toBe(0));

test('the first event comes at once, and is the product as a read answers it', async () => {
  const product = await makeProduct(engine, { maxPerHold: 3 });
  await held(engine, product);
  const { response, events, text } = await listenTo(streamOf(product));
  expect(response.statusCode).toBe(200);
  expect(response.headers).toMatchObject({
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
  });
  await eventually(() => expect(events).toHaveLength(1));
  expect(events[0]).toEqual((await client.get(`/api/products/${product.id}`)).body);
  expect(text()).toMatch(/^retry: [123]\d{3}\nevent: stock\ndata: .*\n\n$/);
});

test('what buyers and the shop do is told, one event for each state', async () => {
  const product = await makeProduct(engine);
  const { events } = await listenTo(streamOf(product));
  const told = (fields: object) => eventually(() => expect(events.at(-1)).toMatchObject(fields));
  await told({ available_stock: 10, held: 0 });
  const { id } = await held(engine, product, { qty: 3 });
  await told({ available_stock: 7, held: 3 });
  await engine.engine.release(id, seconds(2));
  await told({ available_stock: 10, held: 0 });
  await client.admin('POST', `/products/${product.id}/stock`, { delta: 5, key: unique('more') });
  await told({ total_stock: 15, available_stock: 15 });
  await client.admin('POST', `/products/${product.id}/pause`);
  await told({ status: 'paused' });
  await client.admin('PATCH', `/products/${product.id}`, { name: 'Desk lamp', price: '5.00' });
  await told({ name: 'Desk lamp', price: '5.00' });
  expect(events).toHaveLength(6);
});

test('a sale that starts and ends by the clock is told without a write', async () => {
  const nowMs = Math.ceil((engine.engine.nowMs() + 500) / 1_000) * 1_000;
  const window = { startsAtMs: nowMs + 1_000, endsAtMs: nowMs + 2_000 };
  const { events } = await listenTo(streamOf(await makeProduct(engine, window)));
  await eventually(() =>
    expect(events.map(({ status }) => status)).toEqual(['scheduled', 'active', 'ended']),
  );
});

test('a crowd of buyers makes four events a second, and the last one is the end', async () => {
  const product = await makeProduct(engine, { totalStock: 100_000 });
  const listener = await listenTo(streamOf(product));
  const until = performance.now() + 1_500;
  const outcomes: { status: string }[] = [];
  while (performance.now() < until) {
    outcomes.push(...(await atOnce(5, () => hold(engine, product))));
  }
  const sold = tally(outcomes).held;
  await eventually(() => expect(listener.events.at(-1)).toMatchObject({ held: sold }));
  const { cameAtMs } = listener;
  const elapsedS = ((cameAtMs.at(-1) ?? 0) - (cameAtMs[0] ?? 0)) / 1_000;
  expect(cameAtMs.length).toBeGreaterThan(2);
  expect(cameAtMs.length).toBeLessThanOrEqual(4 * elapsedS + 2);
});

test('however many listen, a product is read four times a second; all hear the same', async () => {
  let reads = 0;
  const readProduct: TestEngine['engine']['readProduct'] = (...asked) => {
    reads += 1;
    return engine.engine.readProduct(...asked);
  };
  const own = await serve({ engine: { ...engine.engine, readProduct } });
  const product = await makeProduct(engine);
  const startedAt = performance.now();
  const all = await atOnce(100, () => listenTo(streamOf(product, own)));
  expect(listeners).toBe(100);
  await held(engine, product);
  await eventually(() => {
    for (const { events } of all) expect(events.at(-1)).toMatchObject({ held: 1 });
  });
  expect(reads).toBeLessThanOrEqual((4 * (performance.now() - startedAt)) / 1_000 + 2);
  const texts = new Set(all.map(({ text }) => text().replace(/^retry: \d+\n/, '')));
  expect(texts.size).toBe(1);
  await own.close();
  await everybodyHasLeft();
  const before = reads;
  const elsewhere = await listenTo(streamOf(product));
  for (const units of [2, 3]) {
    await held(engine, product);
    await eventually(() => expect(elsewhere.events.at(-1)).toMatchObject({ held: units }));
  }
  expect(reads).toBe(before);
  elsewhere.hangUp();
});

test('products that are watched together are read by one call', async () => {
  const products = await atOnce(20, () => makeProduct(engine));
  const other = await engine.another({ config: { roles: ['api'] } });
  let calls = 0;
  const { redis } = other.link;
  const own = await serve({ engine: other.engine });
  const all = await Promise.all(products.map((product) => listenTo(streamOf(product, own))));
  const { sendCommand } = redis;
  redis.sendCommand = function counted(...command) {
    if (/^evalsha$|^fcall/.test(command[0].name)) calls += 1;
    return sendCommand.apply(this, command);
  };
  const startedAt = performance.now();
  await Promise.all(products.map((product) => held(engine, product)));
  await eventually(() => {
    for (const { events } of all) expect(events.at(-1)).toMatchObject({ held: 1 });
  });
  await eventually(() => expect(calls).toBeGreaterThan(3));
  expect(calls).toBeLessThanOrEqual((4 * (performance.now() - startedAt)) / 1_000 + 4);
  await own.close();
});

test.for(['0', '-1', 'abc', '1e3', '999999999999', '99999999999999999999999', '%00'])(
  'product %s has no stream',
  async (id) => {
    expectProblem(await client.get(`/api/products/${id}/stream`), 'product_not_found');
  },
);

test('who hangs up is let go, and a HEAD leaves nothing behind', async () => {
  const product = await makeProduct(engine);
  const all = await atOnce(20, () => listenTo(streamOf(product)));
  expect(listeners).toBe(20);
  for (const listener of all) listener.hangUp();
  await everybodyHasLeft();
  const head = await fetch(streamOf(product), { method: 'HEAD' });
  expect([head.status, head.headers.get('content-type')]).toEqual([200, 'text/event-stream']);
  await everybodyHasLeft();
});

test('listeners are told by the metrics', async () => {
  const own = await serve({ listening: engine.metrics.listening });
  const told = async () =>
    /^holdfast_stream_listeners (\d+)$/m.exec((await engine.metrics.read()).text)?.[1];
  const all = await atOnce(3, async () => listenTo(streamOf(await makeProduct(engine), own)));
  expect(await told()).toBe('3');
  all[0]?.hangUp();
  await eventually(async () => expect(await told()).toBe('2'));
  await own.close();
  await eventually(async () => expect(await told()).toBe('0'));
});

test('a server that closes ends its streams at once', async () => {
  const own = await serve();
  const product = await makeProduct(engine);
  const all = await atOnce(20, () => listenTo(streamOf(product, own)));
  const startedAt = performance.now();
  await own.close();
  expect(performance.now() - startedAt).toBeLessThan(CLOSED_WITHIN_MS);
  await eventually(() => {
    for (const { hasEnded } of all) expect(hasEnded()).toBe(true);
  });
  await everybodyHasLeft();
});

test('a stream outlives a lane that closes, and Redis that is away', async () => {
  const way = await startWay(engine.redisUrl);
  const { log, errors } = captureLog();
  const options = { config: { ...engine.config, roles: ['api' as const] }, log };
  const other = await compose({ ...options, redisUrl: way.url, mysqlUrl: engine.mysqlUrl });
  onTestFinished(async () => {
    await other.close();
    await way.close();
  });
  const own = await serve({ engine: other.engine, log });
  const product = await makeProduct(engine);
  const { events, hasEnded } = await listenTo(streamOf(product, own));
  await eventually(() => expect(events).toHaveLength(1));
  way.set('refuse');
  way.cut();
  await eventually(async () => {
    const { response, hangUp } = await listenTo(streamOf(product, own));
    hangUp();
    expect([response.statusCode, response.headers['retry-after']]).toEqual([503, '1']);
  });
  await held(engine, product);
  expect(events).toHaveLength(1);
  way.set('pass');
  await eventually(() => expect(events.at(-1)).toMatchObject({ held: 1 }));

  await engine.redis.hset(laneKey(0), 'state', 'closed');
  await eventually(() => held(engine, product));
  await eventually(() => expect(events.at(-1)).toMatchObject({ held: 2 }));
  expect(hasEnded()).toBe(false);
  expect(errors()).toEqual([]);
  await own.close();
});
