import { expect, test } from 'vitest';
import { productKey } from '../../src/redis/keys.ts';
import { HOUR_MS, openTestLane } from '../support/lane.ts';
import { expectConsistent, journalOf } from '../support/lane-audit.ts';
import { dumpOf, useRedis } from '../support/redis.ts';

const redis = useRedis();
const PRODUCT = 42;

test('a new product starts with its stock available, and the journal says so', async () => {
  const lane = await openTestLane(redis);
  expect((await lane.putProduct(PRODUCT, 7)).status).toBe('created');
  const { counters } = await expectConsistent(lane);
  const none = { held: 0, pending: 0, sold: 0 };
  expect(counters.get(PRODUCT)).toEqual({ total: 7, available: 7, ...none });
  const [entry] = await journalOf(lane);
  expect(entry?.stock).toEqual([{ productId: PRODUCT, delta: 7, key: '' }]);
});

test('a product may start empty', async () => {
  const lane = await openTestLane(redis);
  expect((await lane.putProduct(PRODUCT, 0)).status).toBe('created');
  expect((await lane.hold(PRODUCT)).status).toBe('sold_out');
  await expectConsistent(lane);
});

test('it is created once, of many at once', async () => {
  const lane = await openTestLane(redis);
  const put = () => lane.putProduct(PRODUCT, 7);
  const replies = await Promise.all(Array.from({ length: 20 }, put));
  expect(replies.filter(({ status }) => status === 'created')).toHaveLength(1);
  expect(replies.filter(({ status }) => status === 'unchanged')).toHaveLength(19);
  const { counters } = await expectConsistent(lane);
  expect(counters.get(PRODUCT)).toMatchObject({ total: 7 });
});

test('without stock of its own it must have counters: no_counters, nothing written', async () => {
  const lane = await openTestLane(redis);
  const written = await dumpOf(redis, lane.lane);
  expect((await lane.putProduct(PRODUCT, null)).status).toBe('no_counters');
  expect(await dumpOf(redis, lane.lane)).toEqual(written);
});

test('newer rules are taken over, and counters that exist stay', async () => {
  const lane = await openTestLane(redis);
  await lane.putProduct(PRODUCT, 7, { startsAtMs: 1, endsAtMs: HOUR_MS, maxPerHold: 2 });
  await lane.putProduct(PRODUCT, 7, { maxPerBuyer: 3, extendMs: 5 }, 2);
  expect(await redis.hget(productKey(lane.lane, PRODUCT), 'extend_ms')).toBe('5');
  await lane.held(PRODUCT, { qty: 3, buyer: 'ann' });
  const entries = (await journalOf(lane)).length;
  const rules = { name: 'Boot', priceMinor: 5, currency: 'JPY', status: 'paused' } as const;
  expect((await lane.putProduct(PRODUCT, 99, rules, 3)).status).toBe('updated');
  const hash = await redis.hgetall(productKey(lane.lane, PRODUCT));
  expect({ ...hash }).toEqual({
    total: '7',
    available: '4',
    held: '3',
    pending: '0',
    sold: '0',
    rules_version: '3',
    name: 'Boot',
    status: 'paused',
    price_minor: '5',
    currency: 'JPY',
    hold_ttl_ms: String(HOUR_MS),
    pay_ttl_ms: String(HOUR_MS),
  });
  // Told by the journal, so that they are missed when they are lost with Redis.
  const told = (await journalOf(lane)).slice(entries);
  expect(told).toMatchObject([{ rules: [{ productId: PRODUCT, version: 3 }], stock: [] }]);
  await expectConsistent(lane);
});

test('the same or older rules leave the product unchanged', async () => {
  const lane = await openTestLane(redis);
  // 10 is not below 9: versions are numbers.
  await lane.putProduct(PRODUCT, 7, { name: 'nine' }, 9);
  expect((await lane.putProduct(PRODUCT, 7, { name: 'ten' }, 10)).status).toBe('updated');
  const written = await redis.hgetall(productKey(lane.lane, PRODUCT));
  expect((await lane.putProduct(PRODUCT, 7, { name: 'ten again' }, 10)).status).toBe('unchanged');
  expect((await lane.putProduct(PRODUCT, 7, { name: 'nine' }, 9)).status).toBe('unchanged');
  expect(await redis.hgetall(productKey(lane.lane, PRODUCT))).toEqual(written);
  await expectConsistent(lane);
});
