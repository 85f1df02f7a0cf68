import { once } from 'node:events';
import { Agent, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { HttpBindings } from '@hono/node-server';
import { OpenAPIHono } from '@hono/zod-openapi';
import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { streamRoutes } from '../../src/http/routes/stream.ts';
import { listen } from '../../src/http/server.ts';
import type { StreamLimits } from '../../src/http/stock-streams.ts';
import { held } from '../support/buying.ts';
import { makeProduct, startEngine, type TestEngine } from '../support/engine.ts';
import { listenTo } from '../support/events.ts';
import { eventually } from '../support/wait.ts';
import { expectProblem, send } from './support.ts';

/** More than the buffers of both ends of a connection take. */
const PLENTY_BYTES = 32 * 2 ** 20;
const CLOSED_WITHIN_MS = 2_000;

let engine: TestEngine;
/** Of the test at hand. */
let listeners: { count: number };
let path: string;
let product: { id: number };

beforeAll(async () => {
  engine = await startEngine();
});
afterAll(() => engine.stop());
beforeEach(async () => {
  listeners = { count: 0 };
  product = await makeProduct(engine);
  path = `/api/products/${product.id}/stream`;
});

function appWith(limits: Partial<StreamLimits>): OpenAPIHono {
  const own = listeners;
  const listening = (change: number) => {
    own.count += change;
  };
  const deps = { engine: engine.engine, listening, log: pino({ level: 'silent' }) };
  return new OpenAPIHono().route('/', streamRoutes(deps, limits));
}

/** A server, and what it has answered so far. */
async function serve(limits: Partial<StreamLimits>) {
  const app = appWith(limits);
  const answers: ServerResponse[] = [];
  const fetch = (request: Request, env: HttpBindings) => {
    answers.push(env.outgoing as ServerResponse);
    return app.fetch(request, env);
  };
  const server = await listen({ fetch } as OpenAPIHono, { host: '127.0.0.1', port: 0 });
  return { ...server, url: server.url + path, answers };
}

/** A listener that has stopped reading, with its connection full. */
async function stuckListener({ url, answers }: Awaited<ReturnType<typeof serve>>) {
  const listener = await listenTo(url, { isReading: false });
  const answer = answers.at(-1);
  if (!answer) throw new Error('nothing was answered');
  answer.write(`:${'.'.repeat(PLENTY_BYTES)}\n\n`);
  expect(answer.writableNeedDrain).toBe(true);
  return { ...listener, bufferedBytes: () => answer.writableLength };
}

test('without an event a comment keeps the connection alive', async () => {
  const server = await serve({ beatEveryMs: 500 });
  const { comments, events, text } = await listenTo(server.url);
  await eventually(() => expect(comments()).toBe(2));
  expect(events).toHaveLength(1);
  expect(text()).toMatch(/\n\n:\n\n:\n\n$/);
  await held(engine, product);
  await eventually(() => expect(events).toHaveLength(2));
  await server.close();
});

test('who reads slowly gets the newest, and not what was before it', async () => {
  const app = appWith({});
  const reading = (await app.request(path)).body?.getReader();
  const other = (await app.request(path)).body?.getReader();
  if (!reading || !other) throw new Error('no stream');
  const next = async (reader: typeof reading) =>
    /"held":\d+/.exec(new TextDecoder().decode((await reader.read()).value))?.[0];
  expect(await next(other)).toBe('"held":0');
  expect(await next(reading)).toBe('"held":0');
  for (const units of [1, 2, 3]) {
    await held(engine, product);
    expect(await next(other)).toBe(`"held":${units}`);
  }
  expect(await next(reading)).toBe('"held":3');
  await held(engine, product);
  expect(await next(reading)).toBe('"held":4');
  await reading.cancel();
  expect(listeners.count).toBe(1);
  await other.cancel();
  expect(listeners.count).toBe(0);
});

test('a listener that does not read keeps nothing waiting, and is dropped', async () => {
  const server = await serve({ unreadMsMax: 1_000, beatEveryMs: 250 });
  const { events } = await listenTo(server.url);
  const stuck = await stuckListener(server);
  await held(engine, product);
  await eventually(() => expect(events.at(-1)).toMatchObject({ held: 1 }));
  const before = stuck.bufferedBytes();
  await held(engine, product);
  await eventually(() => expect(events.at(-1)).toMatchObject({ held: 2 }));
  expect(stuck.bufferedBytes()).toBeLessThanOrEqual(before);
  await eventually(() => expect(listeners.count).toBe(1));
  await eventually(() => expect(stuck.bufferedBytes()).toBe(0));
  await held(engine, product);
  await eventually(() => expect(events.at(-1)).toMatchObject({ held: 3 }));
  await server.close();
});

test('a stream that nobody reads at all is dropped too', async () => {
  const app = appWith({ unreadMsMax: 300, beatEveryMs: 250 });
  const { body } = await app.request(path);
  expect(listeners.count).toBe(1);
  await eventually(() => expect(listeners.count).toBe(0));
  expect(await body?.getReader().read()).toEqual({ done: true, value: undefined });
});

test('a process takes so many listeners and no more, until one leaves', async () => {
  const server = await serve({ listenersMax: 2 });
  const all = await Promise.all([1, 2].map(() => listenTo(server.url)));
  const third = await send(() => fetch(server.url), 'GET', path);
  expectProblem(third, 'overloaded');
  all[0]?.hangUp();
  await eventually(() => expect(listeners.count).toBe(1));
  const { events } = await listenTo(server.url);
  await eventually(() => expect(events).toHaveLength(1));
  await server.close();
});

test('a server that closes does not wait for a listener that does not read', async () => {
  const server = await serve({});
  await stuckListener(server);
  const startedAt = performance.now();
  await server.close();
  expect(performance.now() - startedAt).toBeLessThan(CLOSED_WITHIN_MS);
  await eventually(() => expect(listeners.count).toBe(0));
});

test('a stream that is asked for as the server closes ends as well', async () => {
  const server = await serve({});
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  onTestFinished(() => agent.destroy());
  const get = async (target: string) => {
    const sent = request(target, { agent }).end();
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    const text = Buffer.concat(await response.toArray()).toString();
    return { text, status: response.statusCode, isKept: sent.reusedSocket };
  };
  expect(await get(server.url.replace(`/${product.id}/`, '/0/'))).toMatchObject({ status: 404 });
  const startedAt = performance.now();
  const closed = server.close();
  const { text, status, isKept } = await get(server.url);
  expect([status, isKept]).toEqual([200, true]);
  expect(text).toContain('event: stock\ndata: {');
  await closed;
  expect(performance.now() - startedAt).toBeLessThan(CLOSED_WITHIN_MS);
});
