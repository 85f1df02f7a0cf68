import { once } from 'node:events';
import { Agent, type IncomingMessage, request } from 'node:http';
import { expect, onTestFinished, test, vi } from 'vitest';
import { laneKey } from '../../src/redis/keys.ts';
import { drained, expectBooksBalance } from '../support/books.ts';
import { type PrivateServers, privateServers } from '../support/private-servers.ts';
import { call, type HoldfastProcess } from '../support/process.ts';
import { eventually } from '../support/wait.ts';

// Each has servers of its own, which take some seconds to start.
vi.setConfig({ testTimeout: 60_000 });

const CLIENTS = 20;
/** Each part that hangs costs what it is given; most orchestrators kill after 30 s. */
const STOP_LIMIT_MS = 25_000;
const ADMIN = { Authorization: 'Bearer a-token-of-the-tests' };

async function createProduct(url: string): Promise<number> {
  const product = { name: 'Lamp', price: '9.50', currency: 'USD', total_stock: 1_000_000 };
  return (await call('POST', `${url}/api/admin/products`, product, ADMIN)).body.id;
}

interface Answer {
  status: number | undefined;
  connection: string | undefined;
  id: string;
}

/** A client with one connection that it keeps; any error of it fails the test. */
function keptConnection(url: string) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  onTestFinished(() => agent.destroy());
  return async (path: string, body: unknown): Promise<Answer> => {
    const headers = { 'content-type': 'application/json' };
    const sent = request(url + path, { agent, method: 'POST', headers }).end(JSON.stringify(body));
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    const answer = JSON.parse(Buffer.concat(await response.toArray()).toString());
    const { statusCode: status, headers: told } = response;
    return { status, connection: told.connection, id: answer.order_id ?? answer.hold_id };
  };
}

/** Buys on its connection until the server says that it ends. */
async function buyUntilTold(url: string, product_id: number, answers: Answer[]): Promise<void> {
  const post = keptConnection(url);
  for (;;) {
    const hold = await post('/api/holds', { product_id, qty: 1 });
    answers.push(hold);
    if (hold.connection === 'close') return;
    const order = await post('/api/orders', { hold_id: hold.id });
    answers.push(order);
    if (order.connection === 'close') return;
  }
}

async function stopped({ child }: HoldfastProcess, signal: NodeJS.Signals) {
  const startedAt = performance.now();
  const ended = once(child, 'exit');
  child.kill(signal);
  const [code] = await ended;
  return { code, tookMs: performance.now() - startedAt };
}

const isDrained = async ({ redis, sql }: PrivateServers) => {
  const [row] = await sql('SELECT * FROM lanes');
  return `${row?.epoch}-${row?.sequence}` === (await redis.hget(laneKey(0), 'position'));
};

test('SIGTERM under load: what was taken is answered, the outbox drained, exit code 0', async () => {
  const servers = await privateServers();
  const { url, process } = await servers.serve();
  const product = await createProduct(url);
  const answers: Answer[] = [];
  const idle = keptConnection(url);
  expect(await idle('/api/holds', { product_id: product, qty: 1 })).toMatchObject({ status: 201 });
  const clients = Array.from({ length: CLIENTS }, () => buyUntilTold(url, product, answers));
  await eventually(() => expect(answers.length).toBeGreaterThan(10 * CLIENTS));
  const { code } = await stopped(process, 'SIGTERM');
  await Promise.all(clients);

  expect(code).toBe(0);
  expect(answers.filter(({ status }) => status !== 201)).toEqual([]);
  expect(answers.filter(({ connection }) => connection === 'close')).toHaveLength(CLIENTS);
  expect(await isDrained(servers)).toBe(true);
  const rows = await servers.sql('SELECT id FROM holds UNION ALL SELECT id FROM orders');
  const ids = new Set(rows.map(({ id }) => id));
  expect(answers.filter(({ id }) => !ids.has(id))).toEqual([]);
  expect(ids.size).toBe(answers.length + 1);
  await expectBooksBalance(servers);
});

test('what came while the writer was busy is drained before the end', async () => {
  const servers = await privateServers();
  const { url, process } = await servers.serve();
  const product = await createProduct(url);
  servers.freeze('mysql');
  // The first keeps the writer busy; the last ones wait behind it.
  for (let count = 0; count < 50; count += 1) {
    const hold = await call('POST', `${url}/api/holds`, { product_id: product, qty: 1 });
    expect(hold.status).toBe(201);
  }
  const ending = stopped(process, 'SIGTERM');
  await eventually(() => expect(fetch(url)).rejects.toThrow('fetch failed'));
  servers.thaw('mysql');
  expect(await ending).toMatchObject({ code: 0 });
  expect(await isDrained(servers)).toBe(true);
  await expectBooksBalance(servers);
});

test('with both servers hanging SIGTERM ends in a bounded time, and loses nothing', async () => {
  const servers = await privateServers();
  const { url, process } = await servers.serve();
  const product = await createProduct(url);
  await drained(servers);
  servers.freeze('mysql');
  const hold = await call('POST', `${url}/api/holds`, { product_id: product, qty: 1 });
  servers.freeze('redis');
  const { code, tookMs } = await stopped(process, 'SIGTERM');
  expect(code).toBe(0);
  expect(tookMs).toBeLessThanOrEqual(STOP_LIMIT_MS);
  servers.thaw('mysql');
  servers.thaw('redis');

  const again = await servers.serve();
  const kept = await call('GET', `${again.url}/api/holds/${hold.body.hold_id}`);
  expect(kept.body).toEqual(hold.body);
  await expectBooksBalance(servers);
});

test('a second SIGTERM ends it within 1 s, even when MySQL hangs', async () => {
  const servers = await privateServers();
  const { url, process } = await servers.serve();
  const product = await createProduct(url);
  servers.freeze('mysql');
  await call('POST', `${url}/api/holds`, { product_id: product, qty: 1 });
  process.child.kill('SIGTERM');
  await eventually(() => expect(process.stderr).toContain('once more to stop at once'));
  const { code, tookMs } = await stopped(process, 'SIGTERM');
  expect(code).toBe(1);
  expect(tookMs).toBeLessThanOrEqual(1_000);
});
