import { describe, expect, test } from 'vitest';
import { trimScript } from '../../src/redis/bindings/trim.ts';
import { idempotencyKey, reservationKey } from '../../src/redis/keys.ts';
import { HOUR_MS, openTestLane } from '../support/lane.ts';
import { expectConsistent, journalOf } from '../support/lane-audit.ts';
import { dumpOf, redisNowMs, useRedis } from '../support/redis.ts';

const redis = useRedis();

describe('a granted hold', () => {
  test('takes its units until the shortest deadline, at the sum of the prices', async () => {
    const lane = await openTestLane(redis);
    const first = await lane.product(5, { priceMinor: 100, holdTtlMs: HOUR_MS });
    const second = await lane.product(5, { priceMinor: 7, holdTtlMs: HOUR_MS / 2 });
    const third = await lane.product(5, { priceMinor: 1000, holdTtlMs: HOUR_MS });
    const items = [
      { productId: first, qty: 2 },
      { productId: second, qty: 3 },
      { productId: third, qty: 1 },
    ];
    const startedAtMs = await redisNowMs(redis);
    const request = lane.request(items, { buyer: 'ann', key: 'k', fingerprint: 'f' });
    const [reply] = await lane.holdBatch([request]);
    expect(reply).toMatchObject({ status: 'held', amountMinor: 1221, currency: 'USD' });
    const deadlineMs = reply?.status === 'held' ? reply.deadlineMs : 0;
    expect(deadlineMs).toBeGreaterThanOrEqual(startedAtMs + HOUR_MS / 2);
    expect(deadlineMs).toBeLessThanOrEqual((await redisNowMs(redis)) + HOUR_MS / 2);

    const { counters } = await expectConsistent(lane);
    expect(counters.get(first)).toMatchObject({ available: 3, held: 2 });
    expect(counters.get(second)).toMatchObject({ available: 2, held: 3 });
    const [event] = (await journalOf(lane)).at(-1)?.reservations ?? [];
    expect(event).toMatchObject({
      pricesMinor: [100, 7, 1000],
      key: 'k',
      fingerprint: 'f',
      deadlineMs,
    });
    expect(event).toMatchObject({ id: request.id, buyer: 'ann', counted: false });
  });

  test('has numbers of up to 16 digits told exactly', async () => {
    const lane = await openTestLane(redis);
    const priceMinor = 8_999_999_999_999_999;
    const dear = await lane.product(1, { priceMinor });
    expect(await lane.hold(dear)).toMatchObject({ status: 'held', amountMinor: priceMinor });
    const startsAtMs = Date.UTC(9999, 11, 31, 23, 59, 59, 999);
    const later = await lane.product(1, { startsAtMs });
    expect(await lane.hold(later)).toMatchObject({ status: 'not_started', startsAtMs });
  });

  test('takes the units of several products, or of none', async () => {
    const lane = await openTestLane(redis);
    const plenty = await lane.product(5);
    const scarce = await lane.product(1);
    const reply = await lane.hold([
      { productId: plenty, qty: 2 },
      { productId: scarce, qty: 2 },
    ]);
    expect(reply).toMatchObject({ status: 'sold_out', productId: scarce, available: 1 });
    const { counters } = await expectConsistent(lane);
    expect(counters.get(plenty)).toMatchObject({ available: 5, held: 0 });
  });

  test('is one of many that ask at once, and never one too many', async () => {
    const lane = await openTestLane(redis);
    const product = await lane.product(10);
    const replies = await Promise.all(Array.from({ length: 40 }, () => lane.hold(product)));
    expect(replies.filter(({ status }) => status === 'held')).toHaveLength(10);
    expect(replies.filter(({ status }) => status === 'sold_out')).toHaveLength(30);
    await expectConsistent(lane);
  });

  test('stands in one journal entry with the rest of its batch', async () => {
    const lane = await openTestLane(redis);
    const product = await lane.product(3);
    const entries = (await journalOf(lane)).length;
    const items = [{ productId: product, qty: 1 }];
    const requests = Array.from({ length: 5 }, () => lane.request(items));
    const replies = await lane.holdBatch(requests);
    expect(replies.map(({ status }) => status)).toEqual([
      'held',
      'held',
      'held',
      'sold_out',
      'sold_out',
    ]);
    const journal = await journalOf(lane);
    expect(journal).toHaveLength(entries + 1);
    expect(journal.at(-1)?.reservations).toHaveLength(3);
    await expectConsistent(lane);
  });
});

describe('a request of a batch', () => {
  test('is late by its own deadline, whatever the others are', async () => {
    const lane = await openTestLane(redis);
    const product = await lane.product(5);
    const items = [{ productId: product, qty: 1 }];
    const lateMs = (await redisNowMs(redis)) - 1;
    const late = lane.request(items, { lateMs });
    const replies = await lane.holdBatch([late, lane.request(items)]);
    expect(replies.map(({ status }) => status)).toEqual(['late', 'held']);
    expect(await redis.exists(reservationKey(lane.lane, late.id))).toBe(0);
    await expectConsistent(lane);
  });

  test('is overloaded once the backlog has reached its cap, until MySQL catches up', async () => {
    const lane = await openTestLane(redis, { cap: 4 });
    // Two transitions by itself.
    const product = await lane.product(10);
    const items = [{ productId: product, qty: 1 }];
    const batch = () => Array.from({ length: 3 }, () => lane.request(items));
    const before = await lane.holdBatch(batch());
    expect(before.map(({ status }) => status)).toEqual(['held', 'held', 'overloaded']);
    expect(await lane.hold(product)).toEqual({ status: 'overloaded' });
    const trimmed = { epoch: lane.epoch, persisted: 2, minId: '' };
    await trimScript.run(redis, lane.key, trimmed);
    const after = await lane.holdBatch(batch());
    expect(after.map(({ status }) => status)).toEqual(['held', 'held', 'overloaded']);
    await expectConsistent(lane);
  });
});

describe('an idempotency key', () => {
  test('gives the first effect again, also after the hold has ended', async () => {
    const lane = await openTestLane(redis);
    const product = await lane.product(5);
    const { id, deadlineMs } = await lane.held(product, { key: 'k', fingerprint: 'f' });
    await lane.release(id);
    const written = await dumpOf(redis, lane.lane);
    const again = await lane.hold(product, { key: 'k', fingerprint: 'f' });
    expect(again).toEqual({
      status: 'repeated',
      id,
      deadlineMs,
      amountMinor: 12_900,
      currency: 'USD',
    });
    expect(await dumpOf(redis, lane.lane)).toEqual(written);
    await expectConsistent(lane);
  });

  test('with another content is a mismatch, and nothing is written', async () => {
    const lane = await openTestLane(redis);
    const product = await lane.product(5);
    await lane.held(product, { key: 'k', fingerprint: 'f' });
    const written = await dumpOf(redis, lane.lane);
    const other = await lane.hold(product, { key: 'k', fingerprint: 'g' });
    expect(other).toEqual({ status: 'mismatch' });
    expect(await dumpOf(redis, lane.lane)).toEqual(written);
  });

  test('works within one batch too', async () => {
    const lane = await openTestLane(redis);
    const product = await lane.product(5);
    const items = [{ productId: product, qty: 1 }];
    const first = lane.request(items, { key: 'k', fingerprint: 'f' });
    const replies = await lane.holdBatch([
      first,
      lane.request(items, { key: 'k', fingerprint: 'f' }),
      lane.request(items, { key: 'k', fingerprint: 'g' }),
    ]);
    expect(replies.map(({ status }) => status)).toEqual(['held', 'repeated', 'mismatch']);
    expect(replies[1]).toMatchObject({ id: first.id });
    const { counters } = await expectConsistent(lane);
    expect(counters.get(product)).toMatchObject({ held: 1 });
  });

  test('remembers no refusal', async () => {
    const lane = await openTestLane(redis);
    const product = await lane.product(1);
    const refused = await lane.hold(product, { qty: 2, key: 'k', fingerprint: 'f' });
    expect(refused.status).toBe('sold_out');
    expect(await redis.exists(idempotencyKey(lane.lane, 'hold', 'k'))).toBe(0);
    await lane.adjust(product, 1, 'more');
    await lane.held(product, { qty: 2, key: 'k', fingerprint: 'f' });
    await expectConsistent(lane);
  });
});

describe('the rules of a sale', () => {
  test('refuse each request for its own reason', async () => {
    const lane = await openTestLane(redis);
    const nowMs = await redisNowMs(redis);
    const [startsAtMs, endsAtMs] = [nowMs + HOUR_MS, nowMs - 1];
    const paused = await lane.product(5, { status: 'paused' });
    const early = await lane.product(5, { startsAtMs });
    const ended = await lane.product(5, { endsAtMs });
    const limited = await lane.product(5, { maxPerHold: 2 });
    const named = await lane.product(5, { maxPerBuyer: 2 });
    const written = await dumpOf(redis, lane.lane);
    const unknown = 999_999;
    expect(await lane.hold(unknown)).toEqual({ status: 'unknown_product', productId: unknown });
    expect(await lane.hold(paused)).toEqual({ status: 'paused', productId: paused });
    expect(await lane.hold(early)).toEqual({
      status: 'not_started',
      productId: early,
      startsAtMs,
    });
    expect(await lane.hold(ended)).toEqual({ status: 'ended', productId: ended, endsAtMs });
    expect(await lane.hold(limited, { qty: 3 })).toEqual({
      status: 'qty_above_limit',
      productId: limited,
      maxPerHold: 2,
    });
    expect(await lane.hold(named)).toEqual({ status: 'buyer_required', productId: named });
    expect(await dumpOf(redis, lane.lane)).toEqual(written);
  });

  test('let a sale begin at its first moment and end at its last', async () => {
    const lane = await openTestLane(redis);
    const nowMs = await redisNowMs(redis);
    await lane.held(await lane.product(5, { startsAtMs: nowMs }));
    const ended = await lane.product(5, { endsAtMs: nowMs });
    expect((await lane.hold(ended)).status).toBe('ended');
    await expectConsistent(lane);
  });

  test('sell no mix of currencies', async () => {
    const lane = await openTestLane(redis);
    const usd = await lane.product(5, { currency: 'USD' });
    const jpy = await lane.product(5, { currency: 'JPY' });
    const reply = await lane.hold([
      { productId: usd, qty: 1 },
      { productId: jpy, qty: 1 },
    ]);
    expect(reply).toEqual({ status: 'mixed_currencies' });
    await expectConsistent(lane);
  });
});
