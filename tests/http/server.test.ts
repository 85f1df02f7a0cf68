import { once } from 'node:events';
import { Agent, type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { type Listening, listen } from '../../src/http/server.ts';
import { makeProduct, startEngine, type TestEngine } from '../support/engine.ts';
import { sayTo } from './sockets.ts';
import { appOn, expectProblem, send } from './support.ts';

const HOST = '127.0.0.1';
const LIMIT_BYTES = 64 * 1024;

let engine: TestEngine;
let server: Listening;
let productId: number;

beforeAll(async () => {
  engine = await startEngine();
  productId = (await makeProduct(engine, { totalStock: 1_000 })).id;
  server = await listen(appOn(engine), { host: HOST, port: 0 });
});
afterAll(async () => {
  await server.close();
  await engine.stop();
});

const overHttp = (path: string, init: RequestInit) => fetch(server.url + path, init);
const post = (body: unknown, headers?: Record<string, string>) =>
  send(overHttp, 'POST', '/api/holds', body, headers);

/** A body without an announced length. */
const chunked = (chunks: Iterable<string>) =>
  send(
    (path, init) => {
      const body = Readable.toWeb(Readable.from(chunks)) as ReadableStream;
      return overHttp(path, { ...init, body, duplex: 'half' } as RequestInit);
    },
    'POST',
    '/api/holds',
    '',
  );

const say = (bytes: string) => sayTo(server.port, bytes);

/** A JSON body of exactly so many bytes. */
function holdOfBytes(bytes: number): string {
  const body = JSON.stringify({ product_id: productId, qty: 1, padding: '' });
  return body.replace('""', `"${'x'.repeat(bytes - body.length)}"`);
}

test('it serves on a free port and tells its URL', async () => {
  expect(server.url).toBe(`http://${HOST}:${server.port}`);
  const { status, body } = await post({ product_id: productId, qty: 1 });
  expect(status).toBe(201);
  expect(body).toMatchObject({ product_id: productId });
});

test('bodies of up to 64 KiB are read, however they are sent', async () => {
  const largest = holdOfBytes(LIMIT_BYTES);
  expect(Buffer.byteLength(largest)).toBe(LIMIT_BYTES);
  expect((await post(largest)).status).toBe(201);
  expect((await chunked([largest])).status).toBe(201);
  expect((await chunked(largest.match(/.{1,1000}/g) ?? [])).status).toBe(201);
  expectProblem(await post(`${largest} `), 'body_too_large');
  expectProblem(await chunked([largest, ' ']), 'body_too_large');
});

test('a chunked body without an end is refused at the limit', async () => {
  function* endless() {
    for (;;) yield ' '.repeat(1_000);
  }
  expectProblem(await chunked(endless()), 'body_too_large');
});

test('an announced length over the limit is refused before the body is sent', async () => {
  const head = ['POST /api/holds HTTP/1.1', 'Host: x', 'Content-Type: application/json'];
  const { head: answer, body } = await say(
    `${[...head, 'Connection: close', 'Content-Length: 1000000000'].join('\r\n')}\r\n\r\n{`,
  );
  expect(answer).toMatch(/^HTTP\/1.1 413 /);
  expect(JSON.parse(body)).toMatchObject({ code: 'body_too_large', status: 413 });
});

test('thousands of header lines do not hide the announced length', async () => {
  const many = 'a:b\r\n'.repeat(2_500);
  const { head, body } = await say(
    `POST /api/holds HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n${many}` +
      'Connection: close\r\nContent-Length: 1000000000\r\n\r\n{',
  );
  expect(head).toMatch(/^HTTP\/1.1 413 /);
  expect(JSON.parse(body)).toMatchObject({ code: 'body_too_large', status: 413 });
});

test('content types over a real connection', async () => {
  const hold = JSON.stringify({ product_id: productId, qty: 1 });
  const bytes = new TextEncoder().encode(hold);
  const untyped = (body: RequestInit['body']) =>
    send((path) => overHttp(path, { method: 'POST', body: body ?? null }), 'POST', '/api/holds');
  expectProblem(await untyped(bytes), 'unsupported_media_type');
  expectProblem(await untyped(hold), 'unsupported_media_type');
  expectProblem(await untyped(null), 'invalid_request');
  expectProblem(await post(''), 'malformed_json');
  const spelled = await post(hold, { 'Content-Type': 'application/json; charset=utf-8' });
  expect(spelled.status).toBe(201);
});

test.for([
  'GET /a\\b HTTP/1.1\r\nHost: x',
  'GET /healthz HTTP/1.1\r\nHost: x y',
  'OPTIONS * HTTP/1.1\r\nHost: x',
])('an unreadable target or host is a problem document: %j', async (request) => {
  const { head, body } = await say(`${request}\r\nConnection: close\r\n\r\n`);
  expect(head).toMatch(/^HTTP\/1.1 400 /);
  expect(head).toMatch(/content-type: application\/problem\+json/i);
  expect(JSON.parse(body)).toMatchObject({ code: 'bad_request', status: 400 });
});

test('a port in use is told with what to set', async () => {
  const again = listen(appOn(engine), { host: HOST, port: server.port });
  await expect(again).rejects.toThrow(new RegExp(`${server.port}.*set PORT`));
});

// Shorter than the time after which the server cuts connections off.
const CLOSE_LIMIT = { timeout: 8_000 };

test(
  'close answers what is in flight, takes nothing new, waits for no idle client',
  CLOSE_LIMIT,
  async () => {
    let answerReady = () => {};
    const waiting = new Promise<void>((resolve) => {
      answerReady = resolve;
    });
    let asked = () => {};
    const inFlight = new Promise<void>((resolve) => {
      asked = resolve;
    });
    const ready = async () => {
      asked();
      await waiting;
      return { ok: true, checks: {} };
    };
    const closing = await listen(appOn(engine, { ready }), { host: HOST, port: 0 });
    const agent = new Agent({ keepAlive: true });
    onTestFinished(() => agent.destroy());
    const get = async (path: string) => {
      const sent = request(`${closing.url}${path}`, { agent }).end();
      const [response] = await once(sent, 'response');
      response.resume();
      await once(response, 'end');
      return response.statusCode;
    };
    expect(await get('/healthz')).toBe(200);
    const slow = get('/readyz');
    await inFlight;
    const closed = closing.close();
    expect(closing.close()).toBe(closed);
    await expect(fetch(`${closing.url}/healthz`)).rejects.toThrow('fetch failed');
    answerReady();
    expect(await slow).toBe(200);
    await closed;
  },
);

test('a request that comes on a kept connection as the server closes is answered', async () => {
  const closing = await listen(appOn(engine), { host: HOST, port: 0 });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  onTestFinished(() => agent.destroy());
  const get = async () => {
    const sent = request(`${closing.url}/healthz`, { agent }).end();
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    await response.toArray();
    return [response.statusCode, response.headers.connection, sent.reusedSocket];
  };
  expect(await get()).toEqual([200, 'keep-alive', false]);
  const closed = closing.close();
  expect(await get()).toEqual([200, 'close', true]);
  await closed;
});

test('close does not wait for a connection on which nothing was ever asked', async () => {
  const closing = await listen(appOn(engine), { host: HOST, port: 0 });
  const silent = connect(closing.port, HOST);
  await once(silent, 'connect');
  // By then the server has taken the connection before it.
  expect((await fetch(`${closing.url}/healthz`)).status).toBe(200);
  const ended = once(silent, 'close');
  silent.on('error', () => {});
  const startedAt = performance.now();
  await closing.close();
  expect(performance.now() - startedAt).toBeLessThan(5_000);
  silent.resume();
  await ended;
});
