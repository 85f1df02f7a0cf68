import { setTimeout as pause } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { drained, expectBooksBalance } from '../support/books.ts';
import { type PrivateServers, privateServers } from '../support/private-servers.ts';
import { call } from '../support/process.ts';
import { type Storm, startStorm, type Told, type Wish } from '../support/storm.ts';
import { eventually } from '../support/wait.ts';

// Each has servers of its own, which take some seconds to start.
vi.setConfig({ testTimeout: 60_000 });

const FROZEN_MS = 5_000;
const ROUNDS = 20;
const CLIENTS = 24;
const STOCK = 1_000_000;
const ADMIN = { Authorization: 'Bearer a-token-of-the-tests' };

async function createProduct(url: string): Promise<number> {
  const product = { name: 'Lamp', price: '9.50', currency: 'USD', total_stock: STOCK };
  return (await call('POST', `${url}/api/admin/products`, product, ADMIN)).body.id;
}

const slowest = (told: Told[]) => told.reduce((a, b) => (a.tookMs > b.tookMs ? a : b));
const are = (told: Told[], what: string, status: number) =>
  told.filter((it) => it.what === what && it.status === status);

/** Holds and orders from before, to be asked about while a server stands still. */
async function prepare(url: string, productId: number, rounds: number) {
  const make = async () => {
    const hold = await call('POST', `${url}/api/holds`, { product_id: productId, qty: 1 });
    return hold.body.hold_id as string;
  };
  const order = async () => {
    const answer = await call('POST', `${url}/api/orders`, { hold_id: await make() });
    return answer.body.order_id as string;
  };
  const round = async () => {
    const holds = await Promise.all([make(), make(), make()]);
    return { holds, orders: await Promise.all([order(), order(), order()]) };
  };
  return Promise.all(Array.from({ length: rounds }, round));
}

type Round = Awaited<ReturnType<typeof prepare>>[number];

/** One request of each kind. */
function oneOfEach(url: string, productId: number, { holds, orders }: Round): Wish[] {
  const [kept, released, bought] = holds;
  const [seen, cancelled, paid] = orders;
  const read = (what: string, path: string, headers = {}): Wish => {
    return { what, key: '', ask: () => call('GET', url + path, undefined, headers) };
  };
  const send = (what: string, key: string, method: string, path: string, body?: unknown): Wish => {
    const headers = { ...ADMIN, 'Idempotency-Key': key };
    return { what, key, ask: () => call(method, url + path, body, headers) };
  };
  const event = { order_id: paid, reference: `ref-${paid}`, status: 'success' };
  const stock = `/api/admin/products/${productId}/stock`;
  return [
    read('product', `/api/products/${productId}`),
    read('products', '/api/products'),
    read('read hold', `/api/holds/${kept}`),
    read('read order', `/api/orders/${seen}`),
    read('overview', '/api/admin/overview', ADMIN),
    read('ready', '/readyz'),
    send('release', `release-${released}`, 'DELETE', `/api/holds/${released}`),
    send('order', `order-${bought}`, 'POST', '/api/orders', { hold_id: bought }),
    send('cancel', `cancel-${cancelled}`, 'DELETE', `/api/orders/${cancelled}`),
    send('webhook', `pay-${paid}`, 'POST', '/api/payments/webhook', event),
    send('stock', `stock-${kept}`, 'POST', stock, { delta: 1, key: `stock-${kept}` }),
    send('pause', `resume-${kept}`, 'POST', `/api/admin/products/${productId}/resume`),
  ];
}

/** Lets a storm rage while a server stands still, and asks all there is to ask again and again. */
async function standStill(servers: PrivateServers, name: 'redis' | 'mysql') {
  const { url } = await servers.serve();
  const productId = await createProduct(url);
  const rounds = await prepare(url, productId, ROUNDS);
  const storm = startStorm(url, productId, CLIENTS);
  const paid = (told: Told[]) =>
    eventually(() => expect(are(told, 'webhook', 200).length).toBeGreaterThan(20));
  await paid(storm.told);
  const asking: Promise<unknown>[] = [];
  servers.freeze(name);
  for (const round of rounds) {
    for (const wish of oneOfEach(url, productId, round)) asking.push(storm.ask(wish));
    await pause(FROZEN_MS / ROUNDS);
  }
  const frozen = storm.told.slice();
  servers.thaw(name);
  await Promise.all(asking);
  const count = storm.told.length;
  await eventually(() => {
    expect(are(storm.told.slice(count), 'webhook', 200).length).toBeGreaterThan(20);
  });
  await storm.stop();
  return { storm, frozen };
}

function expectSuccessOr503(told: Told[]): void {
  for (const { what, status, code, retryAfter } of told) {
    if (status !== 503) expect([what, status]).toEqual([what, expect.toSatisfy((it) => it < 300)]);
    else expect([what, code, retryAfter]).toEqual([what, 'unavailable', '1']);
  }
}

/** Every hold is one that somebody was told about, or was made before its caller was told 503. */
async function expectNoSecretHolds({ sql }: PrivateServers, storm: Storm): Promise<void> {
  const rows = await sql('SELECT id, idempotency_key AS name, created_at FROM holds');
  const secret = rows.filter(({ id, name }) => name !== '' && storm.holds.get(name) !== id);
  for (const { name, created_at } of secret) {
    const answeredAtMs = storm.unknownHolds.get(name);
    expect(created_at.getTime(), `hold ${name}`).toBeLessThanOrEqual(answeredAtMs ?? 0);
  }
}

const KINDS = ['product', 'products', 'read hold', 'overview', 'ready', 'release', 'hold'];
const WITH_MYSQL = ['order', 'cancel', 'webhook', 'stock', 'pause'];

test('while Redis stands still for 5 s every request is answered within 2 s', async () => {
  const servers = await privateServers();
  const { storm } = await standStill(servers, 'redis');
  expectSuccessOr503(storm.told);
  expect(slowest(storm.told).tookMs, slowest(storm.told).what).toBeLessThanOrEqual(2_000);
  for (const what of [...KINDS, ...WITH_MYSQL]) {
    expect(are(storm.told, what, 503).length, what).toBeGreaterThan(ROUNDS / 4);
  }

  await drained(servers);
  await expectNoSecretHolds(servers, storm);
  await storm.retry();
  await drained(servers);
  await expectNoSecretHolds(servers, storm);
  await expectBooksBalance(servers);
});

test('while MySQL stands still for 5 s holds go on, and the others are told within 3.5 s', async () => {
  const servers = await privateServers();
  const { storm, frozen } = await standStill(servers, 'mysql');
  expectSuccessOr503(storm.told);
  expect(slowest(storm.told).tookMs, slowest(storm.told).what).toBeLessThanOrEqual(3_500);
  for (const what of ['hold', 'product', 'products', 'read hold', 'release']) {
    expect(are(storm.told, what, 503)).toEqual([]);
  }
  for (const what of ['read order', ...WITH_MYSQL]) {
    expect(are(storm.told, what, 503).length, what).toBeGreaterThan(ROUNDS / 4);
  }
  expect(are(frozen, 'hold', 201).length).toBeGreaterThan(CLIENTS);

  await storm.retry();
  await expectBooksBalance(servers);
});
