import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { compose } from '../../src/compose.ts';
import { beginRebuild } from '../../src/db/rebuild.ts';
import { Unavailable } from '../../src/domain/unavailable.ts';
import { WrongDatabase } from '../../src/recovery/errors.ts';
import {
  CATALOG_KEY,
  dueKey,
  laneKey,
  outboxKey,
  productKey,
  reservationKey,
} from '../../src/redis/keys.ts';
import { drained, expectBooksBalance } from '../support/books.ts';
import { held, hold, ordered, pay, unique } from '../support/buying.ts';
import { makeProduct, ownEngine, seconds, type TestEngine } from '../support/engine.ts';
import { captureLog } from '../support/log.ts';
import { eventually } from '../support/wait.ts';

// Sequences that were found by attacking the engine. Each was a loss, or a lie, once.

const nothing = async () => undefined;

const isOpen = (t: TestEngine, epoch: number) =>
  eventually(async () => {
    const found = await t.redis.hmget(laneKey(0), 'state', 'epoch');
    expect(found).toEqual(['open', String(epoch)]);
    expect(await t.ready()).toMatchObject({ ok: true });
  });

test('a newcomer with an older copy of MySQL is refused, and the sale goes on', async () => {
  const t = await ownEngine({}, expectBooksBalance);
  const product = await makeProduct(t, { totalStock: 50 });
  await ordered(t, product);
  await drained(t);
  const name = `copy_${unique('').replaceAll('-', '')}`;
  await t.sql(`CREATE DATABASE ${name}`);
  for (const { table } of await t.sql(
    'SELECT TABLE_NAME AS `table` FROM information_schema.tables WHERE table_schema = DATABASE()',
  )) {
    await t.sql(`CREATE TABLE ${name}.${table} AS SELECT * FROM ${table}`);
  }
  try {
    const mysqlUrl = t.mysqlUrl.replace(/\/[^/]*$/, `/${name}`);
    const { log } = captureLog();
    const start = () => compose({ config: t.config, redisUrl: t.redisUrl, mysqlUrl, log });
    await t.sql(`UPDATE ${name}.lanes SET epoch = 0`);
    await expect(start()).rejects.toThrow(WrongDatabase);
    // Staging, whose epoch is higher: it would have won.
    await t.sql(`UPDATE ${name}.lanes SET epoch = 9, shop = 'staging'`);
    await expect(start()).rejects.toThrow(WrongDatabase);
  } finally {
    await t.sql(`DROP DATABASE ${name}`);
  }
  expect(await hold(t, product)).toMatchObject({ status: 'held' });
  expect(await t.redis.hget(laneKey(0), 'epoch')).toBe('1');
});

test('rules that were lost with Redis are missed like any other entry', async () => {
  const t = await ownEngine({}, expectBooksBalance);
  const product = await makeProduct(t);
  await held(t, product);
  await drained(t);
  const [position, tail, emitted, name] = [
    ...(await t.redis.hmget(laneKey(0), 'position', 'tail', 'emitted')),
    await t.redis.hget(productKey(0, product.id), 'name'),
  ];
  await t.engine.admin.change(product.id, { name: 'Lamp II', status: 'paused' }, seconds(5));
  // The append-only file of the next run lacks the last second.
  const lost = { position, tail, emitted, run: 'of-an-earlier-process' };
  await t.redis.hset(laneKey(0), lost as Record<string, string>);
  await t.redis.hset(productKey(0, product.id), { name: name ?? '', status: 'active' });
  await isOpen(t, 2);
  expect(await hold(t, product)).toMatchObject({ status: 'sale_paused' });
});

test('P7: while Redis has lost the catalog, nobody is told that a product does not exist', async () => {
  const t = await ownEngine({}, expectBooksBalance);
  const product = await makeProduct(t);
  await drained(t);
  // Processes that never looked it up.
  const others = [await t.another(), await t.another()];
  await t.redis.flushdb();
  await eventually(async () => {
    for (const other of others) {
      const outcome = await hold(other, product).catch(() => undefined);
      if (outcome) expect(outcome).toMatchObject({ status: 'held' });
      const list = await other.engine.listProducts(seconds(1)).catch(() => undefined);
      if (list) expect(list).toHaveLength(1);
      expect(outcome && list, 'answers').toBeDefined();
    }
  });
  expect(await hold(t, { id: 99 })).toMatchObject({ status: 'product_not_found' });
});

test('a product is in the catalog before it can be sold', async () => {
  const t = await ownEngine({ config: { roles: ['api'] } }, nothing);
  const making = makeProduct(t).catch(() => undefined);
  await eventually(async () => expect(await t.redis.exists(productKey(0, 1))).toBe(1));
  expect(await t.redis.hget(CATALOG_KEY, '1')).toBe('0');
  await t.another({ config: { roles: ['writer'] } });
  await making;
});

test('P7: a payment whose effect was lost is answered by what became of it afterwards', async () => {
  const t = await ownEngine({ config: { roles: ['api', 'expiry'] } }, expectBooksBalance);
  const first = await t.another({ config: { roles: ['writer'] } });
  const product = await makeProduct(t, { totalStock: 1, payTtlMs: 1_500 });
  const id = await ordered(t, product);
  await drained(t);
  await first.close();
  const reference = unique('pay');
  const waiting = pay(t, id, 'success', reference);
  await eventually(async () =>
    expect(await t.redis.hget(productKey(0, product.id), 'sold')).toBe('1'),
  );
  await t.redis.flushdb();
  await isOpen(t, 2);
  await eventually(async () => expect(await hold(t, product)).toMatchObject({ status: 'held' }));
  await t.another({ config: { roles: ['writer'] } });
  const again = await eventually(() => pay(t, id, 'success', reference));
  expect(again).toMatchObject({ orderState: 'refund_due' });
  const answer = await waiting.catch(() => undefined);
  if (answer) expect(answer).toMatchObject({ orderState: 'refund_due' });
});

test('entries that a failed-over MySQL has lost are committed again, not trimmed', async () => {
  const t = await ownEngine({ keepMs: 600 }, expectBooksBalance);
  const product = await makeProduct(t);
  await drained(t);
  const [lane] = await t.sql('SELECT * FROM lanes');
  const [stock] = await t.sql('SELECT * FROM stock');
  const { id } = await held(t, product);
  await drained(t);
  await t.sql('DELETE FROM holds');
  await t.sql('DELETE FROM hold_items');
  await t.sql('UPDATE stock SET available = ?, held = ?', [stock?.available, stock?.held]);
  const mark = [lane?.epoch, lane?.sequence, lane?.call, lane?.emitted];
  await t.sql('UPDATE lanes SET epoch = ?, sequence = ?, `call` = ?, emitted = ?', mark);
  await eventually(async () => {
    expect(await t.sql('SELECT id FROM holds')).toEqual([{ id: `hold_${id}` }]);
  });
  expect(await t.redis.hget(laneKey(0), 'state')).toBe('open');
});

test('an order that Redis has forgotten, nobody having noticed yet, is not called unknown', async () => {
  const t = await ownEngine({}, nothing);
  const product = await makeProduct(t);
  const { id } = await held(t, product);
  const [key, members] = [reservationKey(0, id), await t.redis.zrange(dueKey(0), 0, '-1')];
  const before = (await t.redis.get(key)) ?? '';
  expect(await t.engine.order(id, '', seconds(5))).toMatchObject({ status: 'ordered' });
  // As after an older copy was put back under the running server.
  await t.redis.set(key, before, 'KEEPTTL');
  await t.redis.zrem(dueKey(0), ...(await t.redis.zrange(dueKey(0), 0, '-1')));
  await t.redis.zadd(dueKey(0), Date.now() + 60_000, members[0] ?? '');
  await expect(pay(t, id)).rejects.toThrow(Unavailable);
  await expect(t.engine.cancel(id, seconds(2))).rejects.toThrow(Unavailable);
});

test('an adjustment that was made before a rebuild is not made again after it', async () => {
  const t = await ownEngine({}, expectBooksBalance);
  const product = await makeProduct(t, { totalStock: 100 });
  const key = unique('delivery');
  await t.engine.admin.adjustStock(product.id, 50, key, seconds(5));
  await drained(t);
  await t.redis.flushdb();
  await isOpen(t, 2);
  expect(await t.redis.get(`hf:{0}:adj:${product.id}:${key}`)).toBe('50');
});

test('a product whose row is gone keeps nobody else’s units', async () => {
  const t = await ownEngine({}, nothing);
  const [gone, other] = [
    await makeProduct(t, { holdTtlMs: 200 }),
    await makeProduct(t, { holdTtlMs: 200 }),
  ];
  await held(t, gone, { qty: 10 });
  await held(t, other, { qty: 10 });
  await drained(t);
  await t.sql('DELETE FROM products WHERE id = ?', [gone.id]);
  await t.redis.flushdb();
  await isOpen(t, 2);
  await eventually(async () => expect(await hold(t, other)).toMatchObject({ status: 'held' }));
  expect(await hold(t, gone)).toMatchObject({ status: 'sale_paused' });
});

test('a rebuild that MySQL has forgotten is not finished on it', async () => {
  const t = await ownEngine({}, nothing);
  const product = await makeProduct(t);
  await drained(t);
  await t.redis.hset(laneKey(0), { state: 'rebuilding', epoch: '7' });
  await pause(2_500);
  expect(await t.redis.hmget(laneKey(0), 'state', 'epoch')).toEqual(['rebuilding', '7']);
  await expect(hold(t, product)).rejects.toThrow(/lane 0 is/);
  // Begun above what Redis has, once people believe this MySQL.
  expect(await t.lanes.rebuild(0, true)).toMatchObject({ epoch: 8 });
  expect((await beginRebuild(t.database, 0, 20, 'a test')).epoch).toBe(21);
  expect(await t.redis.xlen(outboxKey(0))).toBe(0);
});
