import { expect, test } from 'vitest';
import { formatItems } from '../../src/domain/reservation.ts';
import { idempotencyKey } from '../../src/redis/keys.ts';
import { HOUR_MS, openTestLane, SHORT_TTL_MS } from '../support/lane.ts';
import { expectConsistent, journalOf } from '../support/lane-audit.ts';
import { dumpOf, redisNowMs, redisTimeAfter, useRedis } from '../support/redis.ts';

const redis = useRedis();

test('an order keeps the price of its hold and is due by its shortest pay time', async () => {
  const lane = await openTestLane(redis);
  const first = await lane.product(5, { priceMinor: 100 });
  const second = await lane.product(5, { priceMinor: 7, payTtlMs: HOUR_MS * 2 });
  const third = await lane.product(5, { priceMinor: 1000, payTtlMs: HOUR_MS * 4 });
  const items = [
    { productId: first, qty: 1 },
    { productId: second, qty: 2 },
    { productId: third, qty: 1 },
  ];
  const { id } = await lane.held(items);
  await lane.putProduct(first, null, { payTtlMs: HOUR_MS * 3, priceMinor: 1 }, 2);
  const startedAtMs = await redisNowMs(redis);
  const reply = await lane.order(id, { key: 'k' });
  expect(reply).toMatchObject({ status: 'ordered', items: formatItems(items), currency: 'USD' });
  expect(reply).toMatchObject({ amountMinor: 1114 });
  const payByMs = reply.status === 'ordered' ? reply.payByMs : 0;
  expect(payByMs - startedAtMs).toBeGreaterThanOrEqual(HOUR_MS * 2);
  expect(payByMs).toBeLessThanOrEqual((await redisNowMs(redis)) + HOUR_MS * 2);
  const { counters } = await expectConsistent(lane);
  expect(counters.get(second)).toMatchObject({ held: 0, pending: 2 });
  const [event] = (await journalOf(lane)).at(-1)?.reservations ?? [];
  expect(event).toMatchObject({ from: 'held', to: 'pending', key: 'k', deadlineMs: payByMs });
});

test('of many orders for one hold at once, one is made', async () => {
  const lane = await openTestLane(redis);
  const { id } = await lane.held(await lane.product(5));
  const replies = await Promise.all(Array.from({ length: 20 }, () => lane.order(id)));
  expect(replies.filter(({ status }) => status === 'ordered')).toHaveLength(1);
  expect(replies.filter(({ status }) => status === 'used')).toHaveLength(19);
  await expectConsistent(lane);
});

test('the same key for the same hold is repeated, for another a mismatch', async () => {
  const lane = await openTestLane(redis);
  const product = await lane.product(5);
  const [first, second] = [await lane.held(product), await lane.held(product)];
  expect((await lane.order(first.id, { key: 'k' })).status).toBe('ordered');
  const written = await dumpOf(redis, lane.lane);
  expect((await lane.order(first.id, { key: 'k' })).status).toBe('repeated');
  expect((await lane.order(second.id, { key: 'k' })).status).toBe('mismatch');
  expect(await dumpOf(redis, lane.lane)).toEqual(written);
  expect((await lane.order(second.id, { key: 'k2' })).status).toBe('ordered');
  await expectConsistent(lane);
});

test('a refusal is not remembered under its key', async () => {
  const lane = await openTestLane(redis);
  const { id } = await lane.held(await lane.product(5));
  await lane.release(id);
  expect((await lane.order(id, { key: 'k' })).status).toBe('released');
  expect(await redis.exists(idempotencyKey(lane.lane, 'order', 'k'))).toBe(0);
});

test('a hold past its deadline is expired, also when nobody swept it', async () => {
  const lane = await openTestLane(redis);
  const product = await lane.product(5, { holdTtlMs: SHORT_TTL_MS });
  const { id, deadlineMs } = await lane.held(product);
  await redisTimeAfter(redis, deadlineMs);
  expect((await lane.order(id)).status).toBe('expired');
  const { counters } = await expectConsistent(lane);
  expect(counters.get(product)).toMatchObject({ available: 5, held: 0 });
  expect((await lane.order(id)).status).toBe('expired');
  await expectConsistent(lane);
});

test('a hold that became an order is used, whatever became of the order', async () => {
  const lane = await openTestLane(redis);
  const product = await lane.product(9, { payTtlMs: SHORT_TTL_MS });
  const expired = await lane.ordered(product);
  await redisTimeAfter(redis, expired.payByMs);
  await lane.putProduct(product, null, {}, 2);
  const [pending, paid, cancelled] = [
    await lane.ordered(product),
    await lane.ordered(product),
    await lane.ordered(product),
  ];
  await lane.settle(paid.id, 'r1');
  await lane.release(cancelled.id, 'pending');
  for (const { id } of [expired, pending, paid, cancelled]) {
    expect((await lane.order(id)).status).toBe('used');
  }
  await expectConsistent(lane);
});

test('an unknown hold is missing as of the newest journal position', async () => {
  const lane = await openTestLane(redis);
  expect(await lane.order('nobody')).toMatchObject({ status: 'missing', position: '' });
  await lane.product(5);
  expect(await lane.order('nobody')).toMatchObject({ status: 'missing', position: '1-0' });
  await expectConsistent(lane);
});

test('a missing hold behind many overdue ones is missing after what was reclaimed', async () => {
  const lane = await openTestLane(redis);
  await lane.overdueHolds(await lane.product(300, { holdTtlMs: SHORT_TTL_MS }), 300);
  const before = (await journalOf(lane)).length;
  const reply = await lane.order('nobody');
  expect(reply).toMatchObject({ status: 'missing', position: `1-${before}` });
  expect((await journalOf(lane)).at(-1)?.reservations).toHaveLength(200);
  await expectConsistent(lane);
});

test('a batch answers each request by itself, and the same hold once', async () => {
  const lane = await openTestLane(redis);
  const product = await lane.product(9);
  const [first, second, third, released] = [
    await lane.held(product),
    await lane.held(product),
    await lane.held(product),
    await lane.held(product),
  ];
  await lane.release(released.id);
  const late = { id: third.id, lateMs: (await redisNowMs(redis)) - 1 };
  const replies = await lane.orderBatch([
    { id: first.id, key: 'k' },
    { id: first.id, key: 'k' },
    { id: first.id },
    { id: second.id, key: 'k' },
    late,
    { id: released.id },
    { id: 'unknown' },
    { id: second.id },
  ]);
  expect(replies.map(({ status }) => status)).toEqual([
    ...['ordered', 'repeated', 'used', 'mismatch', 'late', 'released', 'missing', 'ordered'],
  ]);
  const [entry] = (await journalOf(lane)).slice(-1);
  expect(entry?.reservations.map(({ id, to }) => [id, to])).toEqual([
    [first.id, 'pending'],
    [second.id, 'pending'],
  ]);
  // MySQL's word counts once it has this very entry.
  expect(replies[6]).toEqual({
    status: 'missing',
    position: `${entry?.epoch}-${entry?.sequence}`,
  });
  await expectConsistent(lane);
});

test('a batch in which a hold has run out expires it once', async () => {
  const lane = await openTestLane(redis);
  const product = await lane.product(2, { holdTtlMs: SHORT_TTL_MS });
  const { id, deadlineMs } = await lane.held(product);
  await redisTimeAfter(redis, deadlineMs);
  const replies = await lane.orderBatch([{ id }, { id, key: 'k' }]);
  expect(replies.map(({ status }) => status)).toEqual(['expired', 'expired']);
  const { counters } = await expectConsistent(lane);
  expect(counters.get(product)).toMatchObject({ available: 2, held: 0, pending: 0 });
});
