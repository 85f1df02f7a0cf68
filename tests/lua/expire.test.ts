import { expect, test } from 'vitest';
import { parseRecord } from '../../src/domain/reservation.ts';
import { dueKey, outboxKey, reservationKey } from '../../src/redis/keys.ts';
import { openTestLane, SHORT_TTL_MS } from '../support/lane.ts';
import { expectConsistent, journalOf } from '../support/lane-audit.ts';
import { dumpOf, redisTimeAfter, useRedis } from '../support/redis.ts';

const redis = useRedis();

test('what is not overdue stays, and nothing is written', async () => {
  const lane = await openTestLane(redis);
  const product = await lane.product(5);
  await lane.held(product);
  await lane.ordered(product);
  const written = await dumpOf(redis, lane.lane);
  expect(await lane.expire()).toMatchObject({ status: 'expired', count: 0, more: false });
  expect(await dumpOf(redis, lane.lane)).toEqual(written);
  await expectConsistent(lane);
});

test('overdue holds and orders give back all their units and buyer counts', async () => {
  const lane = await openTestLane(redis);
  const rules = { payTtlMs: SHORT_TTL_MS, maxPerBuyer: 9 };
  const [first, second] = [await lane.product(5, rules), await lane.product(5, rules)];
  const items = [
    { productId: first, qty: 2 },
    { productId: second, qty: 1 },
  ];
  const ordered = await lane.ordered(items, { buyer: 'ann' });
  await lane.putProduct(first, null, { ...rules, holdTtlMs: SHORT_TTL_MS }, 2);
  const held = await lane.held(items, { buyer: 'bob' });
  await redisTimeAfter(redis, Math.max(ordered.payByMs, held.deadlineMs));
  expect(await lane.expire()).toMatchObject({ status: 'expired', count: 2, more: false });
  const { counters } = await expectConsistent(lane);
  expect(counters.get(first)).toMatchObject({ available: 5, held: 0, pending: 0 });
  expect(counters.get(second)).toMatchObject({ available: 5, held: 0, pending: 0 });
  const moved = (await journalOf(lane)).at(-1)?.reservations.map((event) => event.moved);
  expect(moved).toContainEqual({ from: 'held', to: 'available' });
  expect(moved).toContainEqual({ from: 'pending', to: 'available' });
});

test('each of them leaves a tombstone that still knows whether it was an order', async () => {
  const lane = await openTestLane(redis);
  const ordered = await lane.ordered(await lane.product(5, { payTtlMs: SHORT_TTL_MS }));
  const held = await lane.held(await lane.product(5, { holdTtlMs: SHORT_TTL_MS }));
  await redisTimeAfter(redis, Math.max(ordered.payByMs, held.deadlineMs));
  await lane.expire();
  const tombstone = async (id: string) =>
    parseRecord((await redis.get(reservationKey(lane.lane, id))) ?? '');
  expect(await tombstone(ordered.id)).toMatchObject({ state: 'expired', ordered: true });
  expect(await tombstone(held.id)).toMatchObject({ state: 'expired', ordered: false });
  await expectConsistent(lane);
});

test('a call ends 200 of them and says when there are more', async () => {
  const lane = await openTestLane(redis);
  const product = await lane.product(201, { holdTtlMs: SHORT_TTL_MS });
  await lane.overdueHolds(product, 200);
  expect(await lane.expire()).toMatchObject({ count: 200, more: false });
  await lane.overdueHolds(product, 201);
  expect(await lane.expire()).toMatchObject({ count: 200, more: true });
  await expectConsistent(lane);
  expect(await lane.expire()).toMatchObject({ count: 1, more: false });
  expect(await lane.expire()).toMatchObject({ count: 0, more: false });
  await expectConsistent(lane);
});

test('sweepers that race end each of them once', async () => {
  const lane = await openTestLane(redis);
  await lane.overdueHolds(await lane.product(300, { holdTtlMs: SHORT_TTL_MS }), 300);
  const replies = await Promise.all(Array.from({ length: 10 }, () => lane.expire()));
  const counts = replies.map((reply) => (reply.status === 'expired' ? reply.count : 0));
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(300);
  expect(await redis.zcard(dueKey(lane.lane))).toBe(0);
  expect(await redis.xlen(outboxKey(lane.lane))).toBe(6);
  await expectConsistent(lane);
});
