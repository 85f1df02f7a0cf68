import { expect, test } from 'vitest';
import { formatDueMember, formatItems, parseRecord } from '../../src/domain/reservation.ts';
import { buyersKey, dueKey, productKey, reservationKey } from '../../src/redis/keys.ts';
import { HOUR_MS, openTestLane, SHORT_TTL_MS, type TestLane } from '../support/lane.ts';
import { expectConsistent, journalOf } from '../support/lane-audit.ts';
import { dumpOf, redisTimeAfter, useRedis } from '../support/redis.ts';

const redis = useRedis();
/** Short enough to wait for, long enough for some calls. */
const TTL_MS = 10 * SHORT_TTL_MS;

const recordOf = async (lane: TestLane, id: string) =>
  parseRecord((await redis.get(reservationKey(lane.lane, id))) ?? '');

test('an extended hold keeps its units, and is due at its old deadline and so much more', async () => {
  const lane = await openTestLane(redis);
  const product = await lane.product(5, { extendMs: 60_000, maxPerBuyer: 3 });
  const { id, deadlineMs } = await lane.held(product, { qty: 2, buyer: 'ann' });
  const before = await recordOf(lane, id);
  const reply = await lane.extend(id);
  const items = formatItems([{ productId: product, qty: 2 }]);
  const extended = { status: 'extended', items, amountMinor: 25_800, currency: 'USD' };
  expect(reply).toEqual({ ...extended, nowMs: reply.nowMs, deadlineMs: deadlineMs + 60_000 });
  const after = { ...before, version: 2, deadlineMs: deadlineMs + 60_000 };
  expect(await recordOf(lane, id)).toEqual(after);
  expect(await redis.pexpiretime(reservationKey(lane.lane, id))).toBe(deadlineMs + 60_000);
  const members = await redis.zrange(dueKey(lane.lane), 0, '-1', 'WITHSCORES');
  expect(members.flat()).toEqual([formatDueMember(id, after), String(deadlineMs + 60_000)]);
  const entry = (await journalOf(lane)).at(-1);
  expect(entry?.reservations).toMatchObject([
    { from: 'held', to: 'held', version: 2, moved: undefined, deadlineMs: deadlineMs + 60_000 },
  ]);
  expect(entry?.counters.size).toBe(0);
  expect(await redis.hget(buyersKey(lane.lane, product), 'ann')).toBe('2');
  const { counters } = await expectConsistent(lane);
  expect(counters.get(product)).toMatchObject({ available: 3, held: 2 });
});

test('of many extensions at once, one moves the deadline, and all get the same answer', async () => {
  const lane = await openTestLane(redis);
  const product = await lane.product(5, { extendMs: HOUR_MS });
  const { id, deadlineMs } = await lane.held(product);
  const replies = await Promise.all(Array.from({ length: 20 }, () => lane.extend(id)));
  for (const reply of replies) {
    expect(reply).toMatchObject({ status: 'extended', deadlineMs: deadlineMs + HOUR_MS });
  }
  const written = await dumpOf(redis, lane.lane);
  await lane.putProduct(product, null, {}, 2);
  const ruled = await dumpOf(redis, lane.lane);
  expect(ruled).not.toEqual(written);
  // A repeat is no new extension: what the rule says by now does not matter.
  expect(await lane.extend(id)).toMatchObject({ deadlineMs: deadlineMs + HOUR_MS });
  expect(await dumpOf(redis, lane.lane)).toEqual(ruled);
  expect((await journalOf(lane)).flatMap(({ reservations }) => reservations)).toHaveLength(2);
  await expectConsistent(lane);
});

test('several products: the smallest of their extensions, and none where one has none', async () => {
  const lane = await openTestLane(redis);
  const longer = await lane.product(5, { extendMs: 90_000 });
  const shorter = await lane.product(5, { extendMs: 9_000 });
  const without = await lane.product(5);
  const items = (...ids: number[]) => ids.map((productId) => ({ productId, qty: 1 }));
  const { id, deadlineMs } = await lane.held(items(longer, shorter));
  expect(await lane.extend(id)).toMatchObject({ deadlineMs: deadlineMs + 9_000 });
  const refused = await lane.held(items(longer, without));
  const written = await dumpOf(redis, lane.lane);
  expect((await lane.extend(refused.id)).status).toBe('not_allowed');
  expect(await dumpOf(redis, lane.lane)).toEqual(written);
  await lane.putProduct(without, null, { extendMs: 1_000 }, 2);
  const allowed = { status: 'extended', deadlineMs: refused.deadlineMs + 1_000 };
  expect(await lane.extend(refused.id)).toMatchObject(allowed);
  await expectConsistent(lane);
});

test('a product written by an earlier version has no such rule: not allowed', async () => {
  const lane = await openTestLane(redis);
  const product = await lane.product(5, { extendMs: HOUR_MS });
  const { id } = await lane.held(product);
  await redis.hdel(productKey(lane.lane, product), 'extend_ms');
  expect((await lane.extend(id)).status).toBe('not_allowed');
});

test('a hold that has ended stays ended', async () => {
  const lane = await openTestLane(redis);
  const product = await lane.product(5, { extendMs: HOUR_MS });
  const [released, used] = [await lane.held(product), await lane.ordered(product)];
  await lane.release(released.id);
  const extended = await lane.held(product);
  await lane.extend(extended.id);
  await lane.order(extended.id);
  const written = await dumpOf(redis, lane.lane);
  expect((await lane.extend(released.id)).status).toBe('released');
  expect((await lane.extend(used.id)).status).toBe('used');
  expect((await lane.extend(extended.id)).status).toBe('used');
  expect(await dumpOf(redis, lane.lane)).toEqual(written);
  await expectConsistent(lane);
});

test('an overdue hold cannot be extended, also when nobody swept it', async () => {
  const lane = await openTestLane(redis);
  const product = await lane.product(5, { holdTtlMs: SHORT_TTL_MS, extendMs: HOUR_MS });
  const { id, deadlineMs } = await lane.held(product, { qty: 5 });
  await redisTimeAfter(redis, deadlineMs);
  expect((await lane.extend(id)).status).toBe('expired');
  const { counters } = await expectConsistent(lane);
  expect(counters.get(product)).toMatchObject({ available: 5, held: 0 });
  expect((await lane.extend(id)).status).toBe('expired');
});

test('units come back at the new deadline, and not at the old one', async () => {
  const lane = await openTestLane(redis);
  const extendMs = 400;
  const product = await lane.product(5, { holdTtlMs: TTL_MS, extendMs, maxPerBuyer: 5 });
  const { id, deadlineMs } = await lane.held(product, { qty: 5, buyer: 'ann' });
  await lane.extend(id);
  await redisTimeAfter(redis, deadlineMs);
  expect(await lane.expire()).toMatchObject({ status: 'expired', count: 0 });
  expect((await lane.hold(product, { buyer: 'bob' })).status).toBe('sold_out');
  await redisTimeAfter(redis, deadlineMs + extendMs);
  expect((await lane.hold(product, { buyer: 'bob' })).status).toBe('held');
  const { counters } = await expectConsistent(lane);
  expect(counters.get(product)).toMatchObject({ available: 4, held: 1 });
});

test('an extended hold becomes an order, and is released', async () => {
  const lane = await openTestLane(redis);
  const product = await lane.product(5, { holdTtlMs: TTL_MS, extendMs: HOUR_MS });
  const [first, second] = [await lane.held(product), await lane.held(product)];
  for (const { id } of [first, second]) await lane.extend(id);
  await redisTimeAfter(redis, second.deadlineMs);
  expect((await lane.order(first.id)).status).toBe('ordered');
  expect((await lane.release(second.id)).status).toBe('released');
  const { counters } = await expectConsistent(lane);
  expect(counters.get(product)).toMatchObject({ available: 4, held: 0, pending: 1 });
});

test('an unknown one is missing as of the newest journal position', async () => {
  const lane = await openTestLane(redis);
  await lane.product(5);
  expect(await lane.extend('nobody')).toMatchObject({ status: 'missing', position: '1-0' });
});

test("MySQL's word for a lost record counts while the index has its member", async () => {
  const lane = await openTestLane(redis);
  const product = await lane.product(5, { extendMs: HOUR_MS });
  const { id, deadlineMs } = await lane.held(product);
  const extended = { status: 'extended', deadlineMs: deadlineMs + HOUR_MS };
  const forget = async () => {
    const record = (await redis.getdel(reservationKey(lane.lane, id))) ?? '';
    return { record, epoch: lane.epoch };
  };
  const facts = await forget();
  expect((await lane.extend(id)).status).toBe('missing');
  expect(await lane.extend(id, facts)).toMatchObject(extended);
  const newer = await forget();
  // Rows from before the extension imply a member that is gone.
  expect((await lane.extend(id, facts)).status).toBe('missing');
  expect(await lane.extend(id, newer)).toMatchObject(extended);
  await expectConsistent(lane, [id]);
});
