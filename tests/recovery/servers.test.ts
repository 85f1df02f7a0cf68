import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { compose, type Holdfast } from '../../src/compose.ts';
import { migrateDatabase } from '../../src/db/migrate.ts';
import { Unavailable } from '../../src/domain/unavailable.ts';
import { WrongDatabase } from '../../src/recovery/errors.ts';
import { laneKey } from '../../src/redis/keys.ts';
import { UnfitRedis } from '../../src/redis/requirements.ts';
import { expectBooksBalance } from '../support/books.ts';
import { atOnce, held, hold, ordered, pay, unique } from '../support/buying.ts';
import { makeProduct, ownEngine, seconds } from '../support/engine.ts';
import { captureLog } from '../support/log.ts';
import { privateRedis } from '../support/private-redis.ts';
import { saying } from '../support/undrained.ts';
import { eventually } from '../support/wait.ts';
import { startWay } from '../support/way.ts';

test('a Redis with lanes and a MySQL that never heard of them do not start together', async () => {
  const t = await ownEngine({}, expectBooksBalance);
  const product = await makeProduct(t);
  const lane = await t.redis.hgetall('hf:{0}:lane');
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  await t.sql(`CREATE DATABASE ${name}`);
  onTestFinished(async () => void (await t.sql(`DROP DATABASE ${name}`)));
  const mysqlUrl = t.mysqlUrl.replace(/\/[^/]*$/, `/${name}`);
  await migrateDatabase(mysqlUrl);
  const { log } = captureLog();
  const starting = compose({ config: t.config, redisUrl: t.redisUrl, mysqlUrl, log });
  await expect(starting).rejects.toThrow(WrongDatabase);
  await expect(starting).rejects.toThrow(/MYSQL_URL probably names the wrong database/);
  expect(await t.sql(`SELECT * FROM ${name}.lanes`)).toEqual([]);
  expect(await t.redis.hgetall('hf:{0}:lane')).toEqual(lane);
  expect(await held(t, product)).toMatchObject({ state: 'held' });
});

test('a Redis that would evict stock when memory runs out is refused', async () => {
  const t = await ownEngine({}, expectBooksBalance);
  const redis = await privateRedis();
  const redisUrl = await redis.start('--maxmemory-policy', 'allkeys-lru');
  const { log } = captureLog();
  const starting = compose({ config: t.config, redisUrl, mysqlUrl: t.mysqlUrl, log });
  await expect(starting).rejects.toThrow(UnfitRedis);
  await expect(starting).rejects.toThrow(/maxmemory-policy allkeys-lru.*CONFIG SET/s);
});

test('a restart of Redis that loses nothing keeps all holds, orders and keys', async () => {
  const t = await ownEngine({}, async () => undefined);
  await t.close();
  await t.sql('DELETE FROM lanes');
  const redis = await privateRedis();
  const { log, lines, errors } = captureLog();
  const start = async (): Promise<Holdfast> => {
    const redisUrl = await redis.start();
    const process = await compose({ config: t.config, redisUrl, mysqlUrl: t.mysqlUrl, log });
    onTestFinished(process.close);
    return process;
  };
  const first = await start();
  const product = await makeProduct(first, { totalStock: 20 });
  const key = unique('key');
  const kept = await held(first, product, { key });
  const ids = await atOnce(5, () => ordered(first, product));
  await first.close();
  await redis.stop();

  const second = await start();
  expect(saying(lines, 'Redis was started again')).toHaveLength(1);
  expect(errors()).toEqual([]);
  expect(await held(second, product, { key })).toEqual(kept);
  for (const id of ids) expect(await pay(second, id)).toMatchObject({ status: 'applied' });
  expect(await second.engine.readProduct(product.id, seconds(2))).toMatchObject({
    available: 14,
    held: 1,
    sold: 5,
  });
});

test('a reconnect that lost nothing discards nothing', async () => {
  const { log, lines } = captureLog();
  const t = await ownEngine({}, expectBooksBalance);
  const way = await startWay(t.redisUrl);
  onTestFinished(way.close);
  const process = await compose({ ...t, redisUrl: way.url, log });
  onTestFinished(process.close);
  const product = await makeProduct(process, { totalStock: 100 });
  const kept = await held(process, product, { key: 'kept' });
  for (let times = 0; times < 3; times += 1) {
    way.cut();
    await eventually(async () =>
      expect(await held(process, product, { key: 'kept' })).toEqual(kept),
    );
    await held(t, product);
  }
  expect(await t.redis.hget(laneKey(0), 'epoch')).toBe('1');
  expect(saying(lines, 'rebuilt')).toEqual([]);
});

test('P7: a Redis that is started again while MySQL is away keeps its lane closed till then', async () => {
  const t = await ownEngine({}, async () => undefined);
  await t.close();
  await t.sql('DELETE FROM lanes');
  const redis = await privateRedis();
  const mysqlWay = await startWay(t.mysqlUrl);
  onTestFinished(mysqlWay.close);
  const redisWay = await startWay(await redis.start());
  onTestFinished(redisWay.close);
  const { log, lines, errors } = captureLog();
  const urls = { redisUrl: redisWay.url, mysqlUrl: mysqlWay.url };
  const process = await compose({ config: t.config, ...urls, log });
  onTestFinished(process.close);
  const product = await makeProduct(process, { totalStock: 20 });
  const id = await ordered(process, product);
  const key = unique('key');
  const kept = await held(process, product, { key });

  mysqlWay.set('refuse');
  mysqlWay.cut();
  // P8: without MySQL holds go on, as long as it is the same Redis.
  expect(await held(process, product)).toMatchObject({ state: 'held' });
  await redis.stop();
  redisWay.aim(await redis.start());
  const refused = async () => hold(process, product);
  await eventually(async () => {
    await expect(refused()).rejects.toThrow(/lane 0 is (stale|closed|not open)/);
  });
  for (let times = 0; times < 30; times += 1) {
    await expect(refused()).rejects.toThrow(Unavailable);
    await pause(50);
  }
  mysqlWay.set('pass');
  await eventually(async () => expect(await held(process, product, { key })).toEqual(kept));
  const paid = await eventually(() => pay(process, id, 'success', key));
  expect(paid).toMatchObject({ orderState: 'paid' });
  expect(saying(lines, 'Redis was started again')).toHaveLength(1);
  expect(saying(lines, 'rebuilt')).toEqual([]);
  expect(errors().filter(({ msg }) => msg.includes('stays closed'))).toEqual([]);
});
