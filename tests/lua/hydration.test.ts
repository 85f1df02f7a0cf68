import { describe, expect, test } from 'vitest';
import { formatRecord, parseRecord } from '../../src/domain/reservation.ts';
import type { Facts } from '../../src/redis/bindings/common.ts';
import { reservationKey } from '../../src/redis/keys.ts';
import { openTestLane, SHORT_TTL_MS, type TestLane } from '../support/lane.ts';
import { expectConsistent } from '../support/lane-audit.ts';
import { redisTimeAfter, useRedis } from '../support/redis.ts';

// MySQL's word (`facts`) for a record that Redis lacks counts only as far as Redis can prove it.
const redis = useRedis();

/** Takes the record away, and returns it as MySQL would have it. */
async function forget(lane: TestLane, id: string): Promise<Facts> {
  const record = await redis.getdel(reservationKey(lane.lane, id));
  if (record === null) throw new Error(`${id} has no record`);
  return { record, epoch: lane.epoch };
}

describe('facts of a live reservation whose index member is there', () => {
  test('let a hold become an order', async () => {
    const lane = await openTestLane(redis);
    const product = await lane.product(5, { maxPerBuyer: 3 });
    const { id } = await lane.held(product, { qty: 2, buyer: 'ann' });
    const facts = await forget(lane, id);
    expect((await lane.order(id)).status).toBe('missing');
    expect(await lane.order(id, { facts })).toMatchObject({
      status: 'ordered',
      items: `${product}:2`,
    });
    await expectConsistent(lane);
  });

  test('let a hold be released and an order be cancelled', async () => {
    const lane = await openTestLane(redis);
    const product = await lane.product(5);
    const [held, pending] = [await lane.held(product), await lane.ordered(product)];
    const [heldFacts, pendingFacts] = [await forget(lane, held.id), await forget(lane, pending.id)];
    expect((await lane.release(held.id, 'held', heldFacts)).status).toBe('released');
    expect((await lane.release(pending.id, 'pending', pendingFacts)).status).toBe('released');
    const { counters } = await expectConsistent(lane);
    expect(counters.get(product)).toMatchObject({ available: 5 });
  });

  test('let an order be paid, once', async () => {
    const lane = await openTestLane(redis);
    const { id } = await lane.ordered(await lane.product(5));
    const facts = await forget(lane, id);
    const settle = () => lane.settle(id, 'r1', 'success', facts);
    const replies = await Promise.all(Array.from({ length: 10 }, settle));
    expect(replies.filter(({ status }) => status === 'applied')).toHaveLength(1);
    expect(replies.filter(({ status }) => status === 'duplicate')).toHaveLength(9);
    await expectConsistent(lane);
  });

  test('do not revive what is overdue', async () => {
    const lane = await openTestLane(redis);
    const product = await lane.product(500, { holdTtlMs: SHORT_TTL_MS });
    await lane.overdueHolds(product, 200);
    const { id, deadlineMs } = await lane.held(product);
    const record = formatRecord({
      state: 'held',
      version: 1,
      items: [{ productId: product, qty: 1 }],
      deadlineMs,
      amountMinor: 12_900,
      currency: 'USD',
      buyer: '',
      counted: false,
      ordered: false,
      reference: '',
    });
    const facts = { record, epoch: lane.epoch };
    await redisTimeAfter(redis, deadlineMs);
    // The 200 that are reclaimed first stand before it.
    expect((await lane.order(id, { facts })).status).toBe('expired');
    const { counters } = await expectConsistent(lane);
    expect(counters.get(product)).toMatchObject({ available: 500 });
  });
});

describe('facts that Redis disproves', () => {
  test('are missing when the index member is gone: the reservation has ended', async () => {
    const lane = await openTestLane(redis);
    const product = await lane.product(5);
    const { id } = await lane.held(product);
    const text = await redis.get(reservationKey(lane.lane, id));
    const facts = { record: text ?? '', epoch: lane.epoch };
    await lane.release(id);
    await forget(lane, id);
    expect((await lane.order(id, { facts })).status).toBe('missing');
    expect((await lane.settle(id, 'r1', 'success', facts)).status).toBe('missing');
    expect((await lane.release(id, 'held', facts)).status).toBe('missing');
    const { counters } = await expectConsistent(lane, [id]);
    expect(counters.get(product)).toMatchObject({ available: 5 });
  });

  test('are missing when they are of an older version', async () => {
    const lane = await openTestLane(redis);
    const { id } = await lane.held(await lane.product(5));
    const text = await redis.get(reservationKey(lane.lane, id));
    const facts = { record: text ?? '', epoch: lane.epoch };
    await lane.order(id);
    await forget(lane, id);
    expect((await lane.release(id, 'held', facts)).status).toBe('missing');
    await expectConsistent(lane, [id]);
  });

  test('are ignored when they are of another epoch', async () => {
    const lane = await openTestLane(redis);
    const { id } = await lane.held(await lane.product(5));
    const facts = await forget(lane, id);
    const stale = { ...facts, epoch: lane.epoch + 1 };
    expect((await lane.order(id, { facts: stale })).status).toBe('missing');
    expect((await lane.settle(id, 'r1', 'success', stale)).status).toBe('missing');
    expect((await lane.release(id, 'held', stale)).status).toBe('missing');
    await expectConsistent(lane, [id]);
  });

  test('are ignored while Redis has the record', async () => {
    const lane = await openTestLane(redis);
    const { id } = await lane.ordered(await lane.product(5));
    const text = (await redis.get(reservationKey(lane.lane, id))) ?? '';
    const facts = {
      record: formatRecord({ ...parseRecord(text), state: 'expired' }),
      epoch: lane.epoch,
    };
    const reply = await lane.settle(id, 'r1', 'failed', facts);
    expect(reply).toMatchObject({ status: 'applied', state: 'cancelled' });
    await expectConsistent(lane);
  });
});

describe('facts of an ended reservation', () => {
  test('let a late success take the units of an expired order again', async () => {
    const lane = await openTestLane(redis);
    const product = await lane.product(5, { payTtlMs: SHORT_TTL_MS });
    const { id, payByMs } = await lane.ordered(product, { qty: 2 });
    await redisTimeAfter(redis, payByMs);
    await lane.expire();
    const facts = await forget(lane, id);
    const reply = await lane.settle(id, 'r1', 'success', facts);
    expect(reply).toMatchObject({ status: 'applied', state: 'paid' });
    const { counters } = await expectConsistent(lane);
    expect(counters.get(product)).toMatchObject({ available: 3, sold: 2 });
  });

  test('answer for an order that was settled long ago', async () => {
    const lane = await openTestLane(redis);
    const { id } = await lane.ordered(await lane.product(5));
    await lane.settle(id, 'r1');
    const facts = await forget(lane, id);
    expect((await lane.settle(id, 'r1', 'success', facts)).status).toBe('duplicate');
    expect((await lane.settle(id, 'r2', 'success', facts)).status).toBe('refund_due');
    expect((await lane.order(id, { facts })).status).toBe('used');
    await expectConsistent(lane, [id]);
  });
});
