import { describe, expect, test } from 'vitest';
import { buyersKey, reservationKey } from '../../src/redis/keys.ts';
import { openTestLane, SHORT_TTL_MS } from '../support/lane.ts';
import { expectConsistent, journalOf } from '../support/lane-audit.ts';
import { redisTimeAfter, useRedis } from '../support/redis.ts';

// What `hold` does when units run short: reclaim first, refuse only for what nobody can give back.
const redis = useRedis();

describe('sold_out', () => {
  test('tells what is available and when the earliest hold ends', async () => {
    const lane = await openTestLane(redis);
    const product = await lane.product(3);
    const { deadlineMs } = await lane.held(product, { qty: 2 });
    expect(await lane.hold(product, { qty: 2 })).toEqual({
      status: 'sold_out',
      productId: product,
      available: 1,
      earliestDeadlineMs: deadlineMs,
    });
    await expectConsistent(lane);
  });

  test('knows no deadline when nothing is due', async () => {
    const lane = await openTestLane(redis);
    const product = await lane.product(1);
    const reply = await lane.hold(product, { qty: 2 });
    expect(reply).toMatchObject({ status: 'sold_out', available: 1, earliestDeadlineMs: 0 });
  });

  test('counts the holds granted earlier in its batch', async () => {
    const lane = await openTestLane(redis);
    const product = await lane.product(1);
    const items = [{ productId: product, qty: 1 }];
    const [held, refused] = await lane.holdBatch([lane.request(items), lane.request(items)]);
    if (held?.status !== 'held') throw new Error('the first was refused');
    expect(refused).toEqual({
      status: 'sold_out',
      productId: product,
      available: 0,
      earliestDeadlineMs: held.deadlineMs,
    });
    await expectConsistent(lane);
  });
});

describe('units of an overdue hold', () => {
  test('go to the next buyer, whether somebody swept or not', async () => {
    const lane = await openTestLane(redis);
    const product = await lane.product(1, { holdTtlMs: SHORT_TTL_MS });
    const { id, deadlineMs } = await lane.held(product);
    await redisTimeAfter(redis, deadlineMs);
    await lane.held(product);
    const { reservations } = await expectConsistent(lane);
    expect(reservations.get(id)).toMatchObject({ state: 'expired', version: 2 });
    expect((await journalOf(lane)).at(-1)?.reservations.map(({ to }) => to)).toEqual([
      'expired',
      'held',
    ]);
    const tombstone = await redis.get(reservationKey(lane.lane, id));
    expect(tombstone).toMatch(/^expired\|2\|/);
  });

  test('are waited for (again) while more are overdue than one call reclaims', async () => {
    const lane = await openTestLane(redis);
    const product = await lane.product(250, { holdTtlMs: SHORT_TTL_MS });
    await lane.overdueHolds(product, 250);
    const request = () => lane.hold(product, { qty: 250 });
    expect(await request()).toEqual({ status: 'again' });
    const { counters } = await expectConsistent(lane);
    expect(counters.get(product)).toMatchObject({ available: 200, held: 50 });
    expect((await request()).status).toBe('held');
    await expectConsistent(lane);
  });

  test('of another product in the way are no reason to say sold_out', async () => {
    const lane = await openTestLane(redis);
    const crowd = await lane.product(201, { holdTtlMs: SHORT_TTL_MS });
    const wanted = await lane.product(1, { holdTtlMs: SHORT_TTL_MS });
    await lane.overdueHolds(crowd, 201);
    await lane.overdueHolds(wanted, 1);
    expect(await lane.hold(wanted)).toEqual({ status: 'again' });
    expect((await lane.hold(wanted)).status).toBe('held');
    await expectConsistent(lane);
  });
});

describe('buyer_limit', () => {
  test('counts what a buyer holds, owes for and bought', async () => {
    const lane = await openTestLane(redis);
    const product = await lane.product(10, { maxPerBuyer: 3 });
    await lane.held(product, { buyer: 'ann' });
    await lane.ordered(product, { buyer: 'ann' });
    const paid = await lane.ordered(product, { buyer: 'ann' });
    await lane.settle(paid.id, 'r1');
    expect(await lane.hold(product, { buyer: 'ann' })).toEqual({
      status: 'buyer_limit',
      productId: product,
      maxPerBuyer: 3,
      units: 3,
    });
    await lane.held(product, { buyer: 'bob' });
    expect(await redis.hgetall(buyersKey(lane.lane, product))).toEqual({ ann: '3', bob: '1' });
    await expectConsistent(lane);
  });

  test('counts the requests of one batch', async () => {
    const lane = await openTestLane(redis);
    const product = await lane.product(10, { maxPerBuyer: 2 });
    const items = [{ productId: product, qty: 1 }];
    const requests = Array.from({ length: 3 }, () => lane.request(items, { buyer: 'ann' }));
    const replies = await lane.holdBatch(requests);
    expect(replies.map(({ status }) => status)).toEqual(['held', 'held', 'buyer_limit']);
    await expectConsistent(lane);
  });

  test('gives units back with the hold', async () => {
    const lane = await openTestLane(redis);
    const product = await lane.product(10, { maxPerBuyer: 1 });
    const { id } = await lane.held(product, { buyer: 'ann' });
    await lane.release(id);
    await lane.held(product, { buyer: 'ann' });
    await expectConsistent(lane);
  });

  test('reclaims the overdue holds of the buyer first', async () => {
    const lane = await openTestLane(redis);
    const product = await lane.product(10, { maxPerBuyer: 1, holdTtlMs: SHORT_TTL_MS });
    const { deadlineMs } = await lane.held(product, { buyer: 'ann' });
    await redisTimeAfter(redis, deadlineMs);
    await lane.held(product, { buyer: 'ann' });
    await expectConsistent(lane);
  });

  test('waits (again) for overdue holds behind those of others', async () => {
    const lane = await openTestLane(redis);
    const crowd = await lane.product(200, { holdTtlMs: SHORT_TTL_MS });
    const limited = await lane.product(10, { maxPerBuyer: 1, holdTtlMs: SHORT_TTL_MS });
    await lane.overdueHolds(crowd, 200);
    const { deadlineMs } = await lane.held(limited, { buyer: 'ann' });
    await redisTimeAfter(redis, deadlineMs);
    expect(await lane.hold(limited, { buyer: 'ann' })).toEqual({ status: 'again' });
    await lane.held(limited, { buyer: 'ann' });
    await expectConsistent(lane);
  });

  test('set later counts new holds only, and never goes below zero', async () => {
    const lane = await openTestLane(redis);
    const product = await lane.product(10);
    const { id } = await lane.held(product, { buyer: 'ann', qty: 2 });
    await lane.putProduct(product, null, { maxPerBuyer: 1 }, 2);
    await lane.held(product, { buyer: 'ann' });
    await lane.release(id);
    expect(await redis.hgetall(buyersKey(lane.lane, product))).toEqual({ ann: '1' });
    await expectConsistent(lane);
  });
});
