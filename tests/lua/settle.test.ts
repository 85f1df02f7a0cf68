import { describe, expect, test } from 'vitest';
import { openTestLane, SHORT_TTL_MS } from '../support/lane.ts';
import { expectConsistent, journalOf } from '../support/lane-audit.ts';
import { dumpOf, redisTimeAfter, useRedis } from '../support/redis.ts';

const redis = useRedis();

describe('an order that awaits its payment', () => {
  test('is paid by a success, and its receipt applied in the same entry', async () => {
    const lane = await openTestLane(redis);
    const product = await lane.product(5);
    const { id } = await lane.ordered(product, { qty: 2 });
    expect(await lane.settle(id, 'r1')).toMatchObject({ status: 'applied', state: 'paid' });
    const { counters } = await expectConsistent(lane);
    expect(counters.get(product)).toMatchObject({ available: 3, pending: 0, sold: 2 });
    const entry = (await journalOf(lane)).at(-1);
    expect(entry?.reservations[0]).toMatchObject({ to: 'paid', reference: 'r1' });
    const outcome = { reference: 'r1', id, outcome: 'applied', orderState: 'paid' };
    expect(entry?.outcomes).toEqual([outcome]);
  });

  test('is cancelled by a failure, and its units come back', async () => {
    const lane = await openTestLane(redis);
    const product = await lane.product(5);
    const { id } = await lane.ordered(product, { qty: 2 });
    const reply = await lane.settle(id, 'r1', 'failed');
    expect(reply).toMatchObject({ status: 'applied', state: 'cancelled' });
    const { counters } = await expectConsistent(lane);
    expect(counters.get(product)).toMatchObject({ available: 5, pending: 0, sold: 0 });
  });

  test('is settled by one of many deliveries at once', async () => {
    const lane = await openTestLane(redis);
    const { id } = await lane.ordered(await lane.product(5));
    const replies = await Promise.all(Array.from({ length: 20 }, () => lane.settle(id, 'r1')));
    expect(replies.filter(({ status }) => status === 'applied')).toHaveLength(1);
    expect(replies.filter(({ status }) => status === 'duplicate')).toHaveLength(19);
    await expectConsistent(lane);
  });
});

describe('the same reference again', () => {
  test('is a duplicate of what it made of the order, and nothing is written', async () => {
    const lane = await openTestLane(redis);
    const product = await lane.product(5);
    const [paid, cancelled] = [await lane.ordered(product), await lane.ordered(product)];
    await lane.settle(paid.id, 'r1');
    await lane.settle(cancelled.id, 'r2', 'failed');
    const written = await dumpOf(redis, lane.lane);
    const first = await lane.settle(paid.id, 'r1');
    expect(first).toMatchObject({ status: 'duplicate', state: 'paid' });
    const second = await lane.settle(cancelled.id, 'r2', 'failed');
    expect(second).toMatchObject({ status: 'duplicate', state: 'cancelled' });
    expect(await dumpOf(redis, lane.lane)).toEqual(written);
  });

  test('gets its first outcome again also when it did not move the order', async () => {
    const lane = await openTestLane(redis);
    const { id } = await lane.ordered(await lane.product(5));
    await lane.settle(id, 'r1');
    for (let delivery = 0; delivery < 2; delivery += 1) {
      expect(await lane.settle(id, 'r2')).toMatchObject({ status: 'refund_due', state: 'paid' });
      const ignored = await lane.settle(id, 'r3', 'failed');
      expect(ignored).toMatchObject({ status: 'ignored', state: 'paid' });
    }
    await expectConsistent(lane);
  });
});

describe('another reference', () => {
  test('is refund_due on a paid order, which stays paid by the first', async () => {
    const lane = await openTestLane(redis);
    const { id } = await lane.ordered(await lane.product(5));
    await lane.settle(id, 'r1');
    expect(await lane.settle(id, 'r2')).toMatchObject({ status: 'refund_due', state: 'paid' });
    const { reservations } = await expectConsistent(lane);
    expect(reservations.get(id)).toMatchObject({ state: 'paid', reference: 'r1' });
    const entry = (await journalOf(lane)).at(-1);
    expect(entry?.reservations).toEqual([]);
    expect(entry?.outcomes).toMatchObject([{ reference: 'r2', outcome: 'refund_due' }]);
  });

  test('pays an order that a failure cancelled, while units are left', async () => {
    const lane = await openTestLane(redis);
    const product = await lane.product(5, { maxPerBuyer: 1 });
    const { id } = await lane.ordered(product, { buyer: 'ann' });
    await lane.settle(id, 'r1', 'failed');
    expect(await lane.settle(id, 'r2')).toMatchObject({ status: 'applied', state: 'paid' });
    const late = await lane.settle(id, 'r1', 'failed');
    expect(late).toMatchObject({ status: 'ignored', state: 'paid' });
    const { counters } = await expectConsistent(lane);
    expect(counters.get(product)).toMatchObject({ available: 4, sold: 1 });
  });

  test('of a failure is ignored by an order that no longer awaits payment', async () => {
    const lane = await openTestLane(redis);
    const { id } = await lane.ordered(await lane.product(5));
    await lane.release(id, 'pending');
    const reply = await lane.settle(id, 'r1', 'failed');
    expect(reply).toMatchObject({ status: 'ignored', state: 'cancelled' });
    await expectConsistent(lane);
  });
});

describe('a late success', () => {
  test('takes all items of an expired order again, also while the sale is paused', async () => {
    const lane = await openTestLane(redis);
    const rules = { payTtlMs: SHORT_TTL_MS };
    const [first, second] = [await lane.product(2, rules), await lane.product(2, rules)];
    const { id, payByMs } = await lane.ordered([
      { productId: first, qty: 2 },
      { productId: second, qty: 1 },
    ]);
    await lane.putProduct(first, null, { ...rules, status: 'paused' }, 2);
    await redisTimeAfter(redis, payByMs);
    expect(await lane.settle(id, 'r1')).toMatchObject({ status: 'applied', state: 'paid' });
    const { counters, reservations } = await expectConsistent(lane);
    expect(counters.get(first)).toMatchObject({ available: 0, sold: 2 });
    expect(counters.get(second)).toMatchObject({ available: 1, sold: 1 });
    expect(reservations.get(id)).toMatchObject({ state: 'paid', version: 4, reference: 'r1' });
    const steps = (await journalOf(lane)).at(-1)?.reservations.map(({ to }) => to);
    expect(steps).toEqual(['expired', 'paid']);
  });

  test('takes none and is refund_due when one item is gone', async () => {
    const lane = await openTestLane(redis);
    const rules = { payTtlMs: SHORT_TTL_MS };
    const [first, second] = [await lane.product(2, rules), await lane.product(2, rules)];
    const { id, payByMs } = await lane.ordered([
      { productId: first, qty: 1 },
      { productId: second, qty: 1 },
    ]);
    await redisTimeAfter(redis, payByMs);
    await lane.expire();
    await lane.held(second, { qty: 2 });
    const reply = await lane.settle(id, 'r1');
    expect(reply).toMatchObject({ status: 'refund_due', state: 'refund_due' });
    const { counters } = await expectConsistent(lane);
    expect(counters.get(first)).toMatchObject({ available: 2, sold: 0 });
    const again = await lane.settle(id, 'r1');
    expect(again).toMatchObject({ status: 'duplicate', state: 'refund_due' });
    const other = await lane.settle(id, 'r2');
    expect(other).toMatchObject({ status: 'refund_due', state: 'refund_due' });
    await expectConsistent(lane);
  });

  test('passes the buyer limit, but counts towards it', async () => {
    const lane = await openTestLane(redis);
    const product = await lane.product(5, { payTtlMs: SHORT_TTL_MS, maxPerBuyer: 1 });
    const { id, payByMs } = await lane.ordered(product, { buyer: 'ann' });
    await redisTimeAfter(redis, payByMs);
    await lane.held(product, { buyer: 'ann' });
    expect(await lane.settle(id, 'r1')).toMatchObject({ status: 'applied', state: 'paid' });
    const { reservations } = await expectConsistent(lane);
    expect(reservations.get(id)).toMatchObject({ counted: true });
    expect(await lane.hold(product, { buyer: 'ann' })).toMatchObject({ units: 2 });
  });

  test('counts towards a limit that came after the hold', async () => {
    const lane = await openTestLane(redis);
    const product = await lane.product(5);
    const { id } = await lane.ordered(product, { buyer: 'ann' });
    await lane.settle(id, 'r1', 'failed');
    await lane.putProduct(product, null, { maxPerBuyer: 1 }, 2);
    expect(await lane.settle(id, 'r2')).toMatchObject({ status: 'applied', state: 'paid' });
    expect(await lane.hold(product, { buyer: 'ann' })).toMatchObject({ units: 1 });
    await expectConsistent(lane);
  });

  test('reclaims overdue units, and waits (again) while more are overdue', async () => {
    const lane = await openTestLane(redis);
    const product = await lane.product(210, { payTtlMs: SHORT_TTL_MS });
    const { id, payByMs } = await lane.ordered(product, { qty: 210 });
    await redisTimeAfter(redis, payByMs);
    await lane.expire();
    await lane.putProduct(product, null, { holdTtlMs: SHORT_TTL_MS }, 2);
    await lane.overdueHolds(product, 210);
    expect((await lane.settle(id, 'r1')).status).toBe('again');
    const { counters } = await expectConsistent(lane);
    expect(counters.get(product)).toMatchObject({ available: 200, held: 10 });
    expect(await lane.settle(id, 'r1')).toMatchObject({ status: 'applied', state: 'paid' });
    await expectConsistent(lane);
  });
});

test('a hold that is no order takes no payment', async () => {
  const lane = await openTestLane(redis);
  const { id } = await lane.held(await lane.product(5));
  expect((await lane.settle(id, 'r1')).status).toBe('not_ordered');
  expect((await lane.settle(id, 'r1', 'failed')).status).toBe('not_ordered');
  await expectConsistent(lane);
});

test('an unknown order is missing as of the newest journal position', async () => {
  const lane = await openTestLane(redis);
  await lane.product(5);
  expect(await lane.settle('nobody', 'r1')).toMatchObject({ status: 'missing', position: '1-0' });
  await expectConsistent(lane);
});
