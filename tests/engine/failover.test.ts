import { Redis } from 'ioredis';
import { pino } from 'pino';
import { expect, onTestFinished, test, vi } from 'vitest';
import { compose, type Holdfast } from '../../src/compose.ts';
import { migrateDatabase } from '../../src/db/migrate.ts';
import { holdId, orderId } from '../../src/domain/ids.ts';
import { createApp } from '../../src/http/app.ts';
import { UNSIGNED } from '../../src/payments/signatures.ts';
import { ADMIN_TOKEN, type Answer, clientOf, expectProblem } from '../http/support.ts';
import { expectBooksBalance } from '../support/books.ts';
import { held, ordered, unique } from '../support/buying.ts';
import { makeProduct, seconds } from '../support/engine.ts';
import { captureLog } from '../support/log.ts';
import { type PrivateServers, privateServers } from '../support/private-servers.ts';
import { eventually } from '../support/wait.ts';

// Each has servers of its own, which take some seconds to start.
vi.setConfig({ testTimeout: 60_000 });

interface Shop extends Holdfast {
  /** Asks for everything that changes something. */
  write: () => Promise<Answer[]>;
  /** Asks for everything that only looks. */
  read: () => Promise<Answer[]>;
  /** Errors that the HTTP side could not explain. */
  errors: () => unknown[];
}

async function startShop(servers: PrivateServers, mysqlUrl: string): Promise<Shop> {
  const { redisUrl, config } = servers;
  const holdfast = await compose({ config, redisUrl, mysqlUrl, log: pino({ level: 'silent' }) });
  onTestFinished(holdfast.close);
  const { inbox: payments, metrics, ...parts } = holdfast;
  const { log, errors } = captureLog();
  const { read, listening } = metrics;
  const deps = { ...parts, payments, signing: UNSIGNED, metrics: read, listening, log };
  const client = clientOf(createApp({ ...deps, adminToken: ADMIN_TOKEN, lanes: 1 }));
  const product = await makeProduct(holdfast, { totalStock: 100 });
  const [bought, released] = [await held(holdfast, product), await held(holdfast, product)];
  const [paid, cancelled] = [await ordered(holdfast, product), await ordered(holdfast, product)];
  const event = { order_id: orderId(paid), reference: unique('pay'), status: 'success' };
  const stock = { delta: 1, key: unique('stock') };
  return {
    ...holdfast,
    errors,
    write: () =>
      Promise.all([
        client.post('/api/orders', { hold_id: holdId(bought.id) }),
        client.remove(`/api/orders/${orderId(cancelled)}`),
        client.post('/api/payments/webhook', event),
        client.admin('POST', `/products/${product.id}/stock`, stock),
        client.admin('POST', `/products/${product.id}/resume`),
        client.post('/api/holds', { product_id: product.id, qty: 1 }),
        client.remove(`/api/holds/${holdId(released.id)}`),
      ]),
    read: () =>
      Promise.all([
        client.get('/api/products'),
        client.get(`/api/products/${product.id}`),
        client.get(`/api/holds/${holdId(bought.id)}`),
        client.get(`/api/orders/${orderId(paid)}`),
        client.admin('GET', '/overview'),
      ]),
  };
}

/** All of it is done in the end, and once. */
async function expectRecovery(shop: Shop, servers: PrivateServers): Promise<void> {
  await eventually(async () => {
    const answers = await shop.write();
    // The order may have been made, and told to nobody.
    for (const { status, body } of answers) {
      if (body.code !== 'hold_used') expect(status).toBeLessThan(300);
    }
  });
  expect(shop.errors()).toEqual([]);
  await expectBooksBalance(servers);
}

// Among the answers of `read`.
const [ORDER, OVERVIEW] = [3, 4];

// Endless on purpose, and in a script that has written nothing, so that it can be killed.
const ENDLESS = 'while true do end';

async function keepBusy(servers: PrivateServers): Promise<void> {
  const busy = new Redis(servers.redisUrl, { maxRetriesPerRequest: 0 });
  await servers.redis.config('SET', 'busy-reply-threshold', '50');
  busy
    .eval(ENDLESS, 0)
    .catch(() => {})
    .finally(() => busy.disconnect());
  await eventually(() => expect(servers.redis.get('x')).rejects.toThrow(/^BUSY/));
}

const REDIS_TROUBLES = {
  READONLY: {
    begin: ({ redis }: PrivateServers) => redis.replicaof('127.0.0.1', 1),
    end: ({ redis }: PrivateServers) => redis.replicaof('NO', 'ONE'),
    reads: true,
  },
  MASTERDOWN: {
    begin: async ({ redis }: PrivateServers) => {
      await redis.config('SET', 'replica-serve-stale-data', 'no');
      await redis.replicaof('127.0.0.1', 1);
    },
    end: ({ redis }: PrivateServers) => redis.replicaof('NO', 'ONE'),
    reads: false,
  },
  BUSY: {
    begin: keepBusy,
    end: ({ redis }: PrivateServers) => redis.script('KILL'),
    reads: false,
  },
};

test.for(['READONLY', 'MASTERDOWN', 'BUSY'] as const)(
  'a Redis that answers %s is unavailable, and nothing else',
  async (word) => {
    const servers = await privateServers();
    await migrateDatabase(servers.mysqlUrl);
    const shop = await startShop(servers, servers.mysqlUrl);
    const before = await shop.read();
    const { begin, end, reads } = REDIS_TROUBLES[word];
    let reconnects = 0;
    shop.link.redis.on('ready', () => {
      reconnects += 1;
    });
    await begin(servers);
    for (const answer of await shop.write()) expectProblem(answer, 'unavailable');
    for (const [at, answer] of (await shop.read()).entries()) {
      // Whoever can be asked tells what was so before; orders are read from MySQL.
      if (answer.status === 503) expectProblem(answer, 'unavailable');
      // The overview moves on.
      else if (at !== OVERVIEW) expect(answer.body).toEqual(before[at]?.body);
      if (!reads && at !== ORDER) expect(answer.status).toBe(503);
    }
    expect(shop.errors()).toEqual([]);
    // A replica keeps its clients, and the primary is another server.
    if (word === 'READONLY') await eventually(() => expect(reconnects).toBeGreaterThan(0));
    else expect(reconnects).toBe(0);
    await end(servers);
    await expectRecovery(shop, servers);
  },
);

test('a MySQL that became read-only is unavailable; what needs Redis alone goes on', async () => {
  const servers = await privateServers();
  await migrateDatabase(servers.mysqlUrl);
  // Whoever may set `read_only` may write all the same.
  await servers.sql("CREATE USER 'shop'@'%' IDENTIFIED BY 'shop'");
  await servers.sql("GRANT ALL ON holdfast.* TO 'shop'@'%'");
  const url = new URL(servers.mysqlUrl);
  url.username = url.password = 'shop';
  const shop = await startShop(servers, url.href);
  const listConnections = async () => {
    const rows = await servers.sql('SHOW PROCESSLIST');
    return rows.filter(({ User }) => User === 'shop').map(({ Id }) => Id);
  };
  const before = await listConnections();
  await servers.sql('SET GLOBAL read_only = 1');
  const [order, cancel, pay, stock, resume, hold, release] = await shop.write();
  for (const answer of [order, cancel, pay, stock, resume]) {
    expectProblem(answer as Answer, 'unavailable');
  }
  expect([hold?.status, release?.status]).toEqual([201, 200]);
  expect(await shop.engine.listProducts(seconds(1))).toHaveLength(1);
  // The driver drops them: new ones may lead to the new primary.
  await eventually(async () => {
    const now = await listConnections();
    expect(before.filter((id) => !now.includes(id))).not.toEqual([]);
  });
  await servers.sql('SET GLOBAL read_only = 0');
  await expectRecovery(shop, servers);
});
