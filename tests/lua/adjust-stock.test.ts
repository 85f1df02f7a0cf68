import { expect, test } from 'vitest';
import { openTestLane, SHORT_TTL_MS } from '../support/lane.ts';
import { expectConsistent, journalOf } from '../support/lane-audit.ts';
import { dumpOf, redisTimeAfter, useRedis } from '../support/redis.ts';

const redis = useRedis();

test('units are added and taken away, each adjustment in the journal under its key', async () => {
  const lane = await openTestLane(redis);
  const product = await lane.product(5);
  expect((await lane.adjust(product, 3, 'delivery')).status).toBe('adjusted');
  expect((await lane.adjust(product, -8, 'loss')).status).toBe('adjusted');
  const { counters } = await expectConsistent(lane);
  expect(counters.get(product)).toMatchObject({ total: 0, available: 0 });
  const stock = (await journalOf(lane)).flatMap((entry) => entry.stock);
  expect(stock).toEqual([
    { productId: product, delta: 5, key: '' },
    { productId: product, delta: 3, key: 'delivery' },
    { productId: product, delta: -8, key: 'loss' },
  ]);
});

test('the same key again is repeated, however often and at once', async () => {
  const lane = await openTestLane(redis);
  const [product, other] = [await lane.product(5), await lane.product(5)];
  const adjust = () => lane.adjust(product, 3, 'delivery');
  const replies = await Promise.all(Array.from({ length: 20 }, adjust));
  expect(replies.filter(({ status }) => status === 'adjusted')).toHaveLength(1);
  expect(replies.filter(({ status }) => status === 'repeated')).toHaveLength(19);
  expect((await lane.adjust(other, 3, 'delivery')).status).toBe('adjusted');
  const { counters } = await expectConsistent(lane);
  expect(counters.get(product)).toMatchObject({ total: 8 });
});

test('units that are held, owed for or sold stay where they are', async () => {
  const lane = await openTestLane(redis);
  const product = await lane.product(5);
  await lane.held(product);
  await lane.ordered(product);
  const { id } = await lane.ordered(product);
  await lane.settle(id, 'r1');
  const written = await dumpOf(redis, lane.lane);
  const reply = await lane.adjust(product, -3, 'loss');
  expect(reply).toMatchObject({ status: 'insufficient', available: 2 });
  expect(await dumpOf(redis, lane.lane)).toEqual(written);
  expect((await lane.adjust(product, -2, 'loss')).status).toBe('adjusted');
  await expectConsistent(lane);
});

test('overdue units are reclaimed before a reduction is refused', async () => {
  const lane = await openTestLane(redis);
  const product = await lane.product(5, { holdTtlMs: SHORT_TTL_MS });
  const { deadlineMs } = await lane.held(product, { qty: 3 });
  await redisTimeAfter(redis, deadlineMs);
  const refused = await lane.adjust(product, -6, 'loss');
  expect(refused).toMatchObject({ status: 'insufficient', available: 5 });
  await expectConsistent(lane);
  expect((await lane.adjust(product, -5, 'loss')).status).toBe('adjusted');
  await expectConsistent(lane);
});

test('a reduction waits (again) while more are overdue than one call reclaims', async () => {
  const lane = await openTestLane(redis);
  const product = await lane.product(210, { holdTtlMs: SHORT_TTL_MS });
  await lane.overdueHolds(product, 210);
  expect((await lane.adjust(product, -210, 'loss')).status).toBe('again');
  await expectConsistent(lane);
  expect((await lane.adjust(product, -210, 'loss')).status).toBe('adjusted');
  await expectConsistent(lane);
});

test('a product that the lane does not have is unknown', async () => {
  const lane = await openTestLane(redis);
  expect((await lane.adjust(999_999, 1, 'delivery')).status).toBe('unknown_product');
  await expectConsistent(lane);
});
