import { describe, expect, test } from 'vitest';
import { formatRecord } from '../../src/domain/reservation.ts';
import { openTestLane, SHORT_TTL_MS, type TestLane } from '../support/lane.ts';
import { expectConsistent, journalOf } from '../support/lane-audit.ts';
import { redisTimeAfter, useRedis } from '../support/redis.ts';

const redis = useRedis();
const ANN = { buyer: 'ann', qty: 2 };

/** A paid order of two units at 1,000 each, and its product. */
async function paid(lane: TestLane) {
  const product = await lane.product(5, { maxPerBuyer: 2, priceMinor: 1_000, currency: 'USD' });
  const { id } = await lane.ordered(product, ANN);
  await lane.settle(id, 'r1');
  return { id, product };
}

const refund = (
  lane: TestLane,
  id: string,
  reference: string,
  more: { due?: string; returnsUnits?: boolean } = {},
) => lane.settle(id, reference, 'refunded', undefined, more);

describe('the amount of an event', () => {
  const money = { amountMinor: 2_000, currency: 'USD' };

  test('may be the amount of the order', async () => {
    const lane = await openTestLane(redis);
    const product = await lane.product(5, { priceMinor: 1_000, currency: 'USD' });
    const { id } = await lane.ordered(product, { qty: 2 });
    const reply = await lane.settle(id, 'r1', 'success', undefined, { money });
    expect(reply).toMatchObject({ status: 'applied', state: 'paid' });
    await expectConsistent(lane);
  });

  test.each([
    ['success', { amountMinor: 1_999, currency: 'USD' }],
    ['success', { amountMinor: 2_000, currency: 'EUR' }],
    ['failed', { amountMinor: 2_001, currency: 'USD' }],
  ] as const)('of a %s must be the order’s: %o', async (payment, other) => {
    const lane = await openTestLane(redis);
    const product = await lane.product(5, { priceMinor: 1_000, currency: 'USD' });
    const { id } = await lane.ordered(product, { qty: 2 });
    const reply = await lane.settle(id, 'r1', payment, undefined, { money: other });
    expect(reply).toMatchObject({ status: 'amount_mismatch', state: 'pending' });
    const { counters } = await expectConsistent(lane);
    expect(counters.get(product)).toMatchObject({ pending: 2, sold: 0 });
    const entry = (await journalOf(lane)).at(-1);
    expect(entry?.outcomes).toMatchObject([{ reference: 'r1', outcome: 'amount_mismatch' }]);
    expect(await lane.settle(id, 'r2')).toMatchObject({ status: 'applied', state: 'paid' });
  });

  test('of a part of the price refunds nothing', async () => {
    const lane = await openTestLane(redis);
    const { id } = await paid(lane);
    const part = { money: { amountMinor: 500, currency: 'USD' } };
    const reply = await lane.settle(id, 'r2', 'refunded', undefined, part);
    expect(reply).toMatchObject({ status: 'amount_mismatch', state: 'paid' });
    await expectConsistent(lane);
  });

  test('is asked of MySQL for an order that was reclaimed without it', async () => {
    const lane = await openTestLane(redis);
    const rules = { payTtlMs: SHORT_TTL_MS, priceMinor: 1_000, currency: 'USD' };
    const product = await lane.product(5, rules);
    const { id, payByMs } = await lane.ordered(product, { qty: 2 });
    await redisTimeAfter(redis, payByMs);
    await lane.expire();
    const asked = await lane.settle(id, 'r1', 'success', undefined, { money });
    expect(asked).toMatchObject({ status: 'missing', position: expect.any(String) });
    const row = { state: 'expired', version: 3, items: [{ productId: product, qty: 2 }] } as const;
    const rest = { deadlineMs: payByMs, ...money, buyer: '', counted: false, ordered: true };
    const record = formatRecord({ ...row, items: [...row.items], ...rest, reference: '' });
    const wrong = { money: { ...money, amountMinor: 1 } };
    const refused = await lane.settle(id, 'r1', 'success', { record, epoch: 1 }, wrong);
    expect(refused).toMatchObject({ status: 'amount_mismatch', state: 'expired' });
    const taken = await lane.settle(id, 'r2', 'success', { record, epoch: 1 }, { money });
    expect(taken).toMatchObject({ status: 'applied', state: 'paid' });
    await expectConsistent(lane);
  });
});

describe('a refund of a paid order', () => {
  test('leaves its units sold, and counted for its buyer', async () => {
    const lane = await openTestLane(redis);
    const { id, product } = await paid(lane);
    expect(await refund(lane, id, 'r2')).toMatchObject({ status: 'applied', state: 'refunded' });
    const { counters, reservations } = await expectConsistent(lane);
    expect(counters.get(product)).toMatchObject({ available: 3, sold: 2 });
    expect(reservations.get(id)).toMatchObject({ state: 'refunded', reference: 'r1' });
    const [event] = (await journalOf(lane)).at(-1)?.reservations ?? [];
    expect(event).toMatchObject({ from: 'paid', to: 'refunded', reference: 'r1', key: 'r2' });
    expect(await lane.hold(product, { buyer: 'ann' })).toMatchObject({ status: 'buyer_limit' });
  });

  test('gives its units back when that is asked for, then or later, and once', async () => {
    const lane = await openTestLane(redis);
    const { id, product } = await paid(lane);
    await refund(lane, id, 'r2');
    const returned = await refund(lane, id, 'r3', { returnsUnits: true });
    expect(returned).toMatchObject({ status: 'applied', state: 'returned' });
    const again = await refund(lane, id, 'r4', { returnsUnits: true });
    expect(again).toMatchObject({ status: 'ignored', state: 'returned' });
    const { counters } = await expectConsistent(lane);
    expect(counters.get(product)).toMatchObject({ available: 5, sold: 0 });
    expect(await lane.hold(product, ANN)).toMatchObject({ status: 'held' });
    const other = await paid(lane);
    const atOnce = await refund(lane, other.id, 'r9', { returnsUnits: true });
    expect(atOnce).toMatchObject({ status: 'applied', state: 'returned' });
    await expectConsistent(lane);
  });

  test('a second one is ignored, and so is what it was paid by', async () => {
    const lane = await openTestLane(redis);
    const { id } = await paid(lane);
    await refund(lane, id, 'r2');
    expect(await refund(lane, id, 'r3')).toMatchObject({ status: 'ignored', state: 'refunded' });
    expect(await lane.settle(id, 'r1')).toMatchObject({ status: 'duplicate', state: 'refunded' });
    const later = await lane.settle(id, 'r4');
    expect(later).toMatchObject({ status: 'refund_due', state: 'refunded' });
    await expectConsistent(lane);
  });
});

describe('a refund of money that was due', () => {
  test('ends an order that waited for it; no unit moves', async () => {
    const lane = await openTestLane(redis);
    const product = await lane.product(2);
    const { id } = await lane.ordered(product, { qty: 2 });
    await lane.release(id, 'pending');
    await lane.held(product, { qty: 1 });
    expect(await lane.settle(id, 'r1')).toMatchObject({ status: 'refund_due' });
    const reply = await refund(lane, id, 'r2', { due: 'r1' });
    expect(reply).toMatchObject({ status: 'applied', state: 'returned' });
    const { counters } = await expectConsistent(lane);
    expect(counters.get(product)).toMatchObject({ available: 1, held: 1, sold: 0 });
  });

  test('of a second payment leaves the order paid', async () => {
    const lane = await openTestLane(redis);
    const { id } = await paid(lane);
    await lane.settle(id, 'r2');
    const reply = await refund(lane, id, 'r3', { due: 'r2' });
    expect(reply).toMatchObject({ status: 'applied', state: 'paid' });
    await expectConsistent(lane);
  });
});

test('a refund of what has not been paid waits, and nothing is written', async () => {
  const lane = await openTestLane(redis);
  const { id } = await lane.ordered(await lane.product(5));
  expect((await refund(lane, id, 'r2')).status).toBe('not_paid');
  await lane.release(id, 'pending');
  expect((await refund(lane, id, 'r2')).status).toBe('not_paid');
  const { reservations } = await expectConsistent(lane);
  expect(reservations.get(id)).toMatchObject({ state: 'cancelled' });
});
