import { expect, test } from 'vitest';
import { openTestLane, SHORT_TTL_MS } from '../support/lane.ts';
import { expectConsistent, journalOf } from '../support/lane-audit.ts';
import { dumpOf, redisTimeAfter, useRedis } from '../support/redis.ts';

const redis = useRedis();

test('a released hold gives its units back, once', async () => {
  const lane = await openTestLane(redis);
  const product = await lane.product(5);
  const { id } = await lane.held(product, { qty: 3 });
  const replies = await Promise.all(Array.from({ length: 20 }, () => lane.release(id)));
  expect(replies.filter(({ status }) => status === 'released')).toHaveLength(1);
  const others = replies.filter(({ status }) => status === 'other');
  expect(others).toHaveLength(19);
  expect(others[0]).toMatchObject({ state: 'released', ordered: false });
  const { counters } = await expectConsistent(lane);
  expect(counters.get(product)).toMatchObject({ available: 5, held: 0 });
});

test('a cancelled order gives its units back, once', async () => {
  const lane = await openTestLane(redis);
  const product = await lane.product(5);
  const { id } = await lane.ordered(product, { qty: 3 });
  expect((await lane.release(id, 'pending')).status).toBe('released');
  expect((await journalOf(lane)).at(-1)?.reservations[0]).toMatchObject({ to: 'cancelled' });
  const again = await lane.release(id, 'pending');
  expect(again).toMatchObject({ status: 'other', state: 'cancelled', ordered: true });
  const { counters } = await expectConsistent(lane);
  expect(counters.get(product)).toMatchObject({ available: 5, pending: 0 });
});

test('neither ends what is in another state', async () => {
  const lane = await openTestLane(redis);
  const product = await lane.product(5);
  const [held, pending] = [await lane.held(product), await lane.ordered(product)];
  const paid = await lane.ordered(product);
  await lane.settle(paid.id, 'r1');
  const written = await dumpOf(redis, lane.lane);
  const other = (state: string, ordered: boolean) => ({ status: 'other', state, ordered });
  expect(await lane.release(held.id, 'pending')).toMatchObject(other('held', false));
  expect(await lane.release(pending.id, 'held')).toMatchObject(other('pending', true));
  expect(await lane.release(paid.id, 'pending')).toMatchObject(other('paid', true));
  expect(await dumpOf(redis, lane.lane)).toEqual(written);
});

test('past the deadline it has expired already', async () => {
  const lane = await openTestLane(redis);
  const { id, payByMs } = await lane.ordered(await lane.product(5, { payTtlMs: SHORT_TTL_MS }));
  const product = await lane.product(5, { holdTtlMs: SHORT_TTL_MS });
  const { id: heldId, deadlineMs } = await lane.held(product);
  await redisTimeAfter(redis, Math.max(payByMs, deadlineMs));
  const cancelled = await lane.release(id, 'pending');
  expect(cancelled).toMatchObject({ status: 'other', state: 'expired', ordered: true });
  const released = await lane.release(heldId);
  expect(released).toMatchObject({ status: 'other', state: 'expired', ordered: false });
  await expectConsistent(lane);
});

test('an unknown one is missing as of the newest journal position', async () => {
  const lane = await openTestLane(redis);
  await lane.product(5);
  expect(await lane.release('nobody')).toMatchObject({ status: 'missing', position: '1-0' });
});
