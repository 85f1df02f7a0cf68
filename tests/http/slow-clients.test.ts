import { once } from 'node:events';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { type Listening, listen } from '../../src/http/server.ts';
import { expectBooksBalance } from '../support/books.ts';
import { makeProduct, startEngine, type TestEngine } from '../support/engine.ts';
import { captureLog } from '../support/log.ts';
import { RawClient, sayTo } from './sockets.ts';
import { appOn, send } from './support.ts';

const TIMEOUTS = { headersMs: 300, requestMs: 600, keepAliveMs: 300, readMs: 500, checkMs: 50 };
/** All of them several times over, and nothing of the defaults. */
const LIMIT = { timeout: 8_000 };
const EVERY_MS = 20;
const POST = 'POST /api/holds HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n';

const { log, errors } = captureLog();
let engine: TestEngine;
let server: Listening;
let productId: number;

beforeAll(async () => {
  engine = await startEngine();
  productId = (await makeProduct(engine, { totalStock: 100 })).id;
  server = await listen(appOn(engine, { log }), {
    host: '127.0.0.1',
    port: 0,
    timeouts: TIMEOUTS,
  });
});
afterAll(async () => {
  await server.close();
  await expectBooksBalance(engine);
  await engine.stop();
});

const holdOne = () =>
  send((path, init) => fetch(server.url + path, init), 'POST', '/api/holds', {
    product_id: productId,
    qty: 1,
  });

const raw = () => new RawClient(server.port);

test('a client that says nothing is cut off', LIMIT, async () => {
  expect(await raw().closed).toMatch(/^(HTTP\/1.1 408 |$)/);
});

test.for<[string, string, string]>([
  ['a head', '', 'GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: yes\r\n'],
  ['a head without an end', 'GET /healthz HTTP/1.1\r\nHost: x\r\n', 'a: b\r\n'],
  ['a body', `${POST}Content-Length: 60000\r\n\r\n`, ' '],
  ['a chunked body', `${POST}Transfer-Encoding: chunked\r\n\r\n`, '1\r\n \r\n'],
])('%s that comes byte by byte is cut off, and buyers go on', LIMIT, async ([, first, slow]) => {
  const attackers = Array.from({ length: 50 }, () => raw().send(first).drip(slow, EVERY_MS));
  expect((await holdOne()).status).toBe(201);
  const answers = await Promise.all(attackers.map(({ closed }) => closed));
  for (const answer of answers) expect(answer).toMatch(/^HTTP\/1.1 408 /);
  expect((await holdOne()).status).toBe(201);
  expect(errors()).toEqual([]);
});

test.for([
  ['refused for its length', `${POST}Content-Length: 1000000000\r\n\r\n`, 413],
  ['sent to no route', 'POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n', 404],
] as const)(
  'a slow body %s is answered at once, and not awaited',
  LIMIT,
  async ([, head, code]) => {
    expect(await raw().send(head).drip('x', EVERY_MS).closed).toMatch(`HTTP/1.1 ${code} `);
    expect(errors()).toEqual([]);
  },
);

test('a body that breaks off in the middle holds nothing, and is no error', LIMIT, async () => {
  const hold = JSON.stringify({ product_id: productId, qty: 1 });
  const client = raw().send(`${POST}Content-Length: ${hold.length + 1}\r\n\r\n${hold}`);
  await once(client.socket, 'connect');
  client.socket.end();
  await client.closed;
  expect(errors()).toEqual([]);
});

test('an idle connection is closed after its last answer', LIMIT, async () => {
  const client = raw().send('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
  expect(await client.closed).toMatch(/^HTTP\/1.1 200 [\s\S]*\{"status":"ok"\}$/);
});

test('a client that does not read its answer is cut off', LIMIT, async () => {
  // More than the buffers of both ends take.
  const fetch = () => new Response('x'.repeat(50_000_000));
  const other = await listen({ fetch }, { host: '127.0.0.1', port: 0, timeouts: TIMEOUTS });
  onTestFinished(() => other.close());
  const client = new RawClient(other.port);
  client.socket.pause();
  client.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  // Empty lines between requests are none; and it notices the end only when it sends.
  const timer = setInterval(() => client.socket.write('\r\n'), EVERY_MS);
  onTestFinished(() => clearInterval(timer));
  await client.closed;
});

test.for([
  ['one long header', `X: ${'x'.repeat(17_000)}\r\n`],
  // Node counts the letters of a header only: this is 20,000 bytes of it.
  ['many short ones', 'a:b\r\n'.repeat(10_000)],
  ['a megabyte without an end', 'x'.repeat(1_000_000)],
])('%s is 431, and the server lives', LIMIT, async ([, header]) => {
  const { head } = await sayTo(server.port, `GET /healthz HTTP/1.1\r\nHost: x\r\n${header}\r\n`);
  // What is sent beyond that may reset the connection before the answer is read.
  expect(head).toMatch(/^(HTTP\/1.1 431 |$)/);
  expect((await holdOne()).status).toBe(201);
});

test('a long target is 431, too', LIMIT, async () => {
  const { head } = await sayTo(
    server.port,
    `GET /${'x'.repeat(17_000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
  );
  expect(head).toMatch(/^HTTP\/1.1 431 /);
});
