import { expect, onTestFinished, test } from 'vitest';
import { compose } from '../../src/compose.ts';
import { migrateDatabase } from '../../src/db/migrate.ts';
import { parseInfo } from '../../src/redis/client.ts';
import { expectBooksBalance } from '../support/books.ts';
import { atOnce, held, hold, ordered, pay } from '../support/buying.ts';
import { makeProduct, seconds } from '../support/engine.ts';
import { captureLog } from '../support/log.ts';
import { privateServers } from '../support/private-servers.ts';
import { saying } from '../support/undrained.ts';
import { eventually } from '../support/wait.ts';

test('over 90% of maxmemory only holds are refused; below they are granted again', async () => {
  const servers = await privateServers();
  const { redis, redisUrl, mysqlUrl, config } = servers;
  await migrateDatabase(mysqlUrl);
  const { log, lines } = captureLog();
  const t = await compose({ config, redisUrl, mysqlUrl, log });
  onTestFinished(t.close);
  const product = await makeProduct(t, { totalStock: 100 });
  const brief = await makeProduct(t, { totalStock: 5, holdTtlMs: 1_000 });
  const [released, bought, key] = [await held(t, product), await held(t, product), 'told-before'];
  const paid = await ordered(t, product);
  const repeated = await held(t, product, { key });
  await atOnce(5, () => held(t, brief));

  // Enough for the last 5% to be more than what BullMQ and connections need meanwhile.
  await redis.setrange('ballast', 64 * 2 ** 20, 'x');
  const used = Number(parseInfo(await redis.info('memory')).get('used_memory'));
  await redis.config('SET', 'maxmemory', Math.floor(used / 0.95));
  await eventually(async () => {
    expect(await hold(t, product)).toEqual({ status: 'overloaded' });
  });
  expect(await hold(t, product, { key })).toEqual({ status: 'overloaded' });
  expect(await t.engine.release(released.id, seconds(2))).toMatchObject({ status: 'released' });
  expect(await t.engine.order(bought.id, '', seconds(3))).toMatchObject({ status: 'ordered' });
  expect(await pay(t, paid)).toMatchObject({ status: 'applied', orderState: 'paid' });
  await eventually(async () => {
    expect(await t.engine.readProduct(brief.id, seconds(1))).toMatchObject({ available: 5 });
  });
  expect(saying(lines, 'Redis is nearly full')).toHaveLength(1);

  await redis.config('SET', 'maxmemory', 2 * used);
  await eventually(async () => {
    expect(await held(t, product, { key })).toEqual(repeated);
  });
  expect(saying(lines, 'Redis is nearly full')).toHaveLength(1);
  expect(saying(lines, 'Redis has memory again')).toHaveLength(1);
  await expectBooksBalance(servers);
});
