import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { orderId } from '../../src/domain/ids.ts';
import { Unavailable } from '../../src/domain/unavailable.ts';
import { laneKey, reservationKey } from '../../src/redis/keys.ts';
import { drained, expectBooksBalance } from '../support/books.ts';
import { atOnce, held, ordered, pay, tally, unique } from '../support/buying.ts';
import {
  makeProduct,
  ownEngine,
  seconds,
  startEngine,
  type TestEngine,
} from '../support/engine.ts';
import { redisNowMs, redisTimeAfter } from '../support/redis.ts';
import { eventually } from '../support/wait.ts';

let t: TestEngine;

beforeAll(async () => {
  t = await startEngine();
});
afterEach(() => expectBooksBalance(t));
afterAll(() => t.stop());

/** Takes the records away, as a restore or an early eviction would; MySQL has the rows. */
async function forget(...ids: string[]): Promise<void> {
  await drained(t);
  expect(await t.redis.del(...ids.map((id) => reservationKey(0, id)))).toBe(ids.length);
}

const status = async (outcome: Promise<{ status: string }>) => (await outcome).status;

test('a hold that Redis forgot becomes an order by what MySQL says, once', async () => {
  const product = await makeProduct(t);
  const { id } = await held(t, product, { qty: 2, buyer: 'ann' });
  await forget(id);
  const outcomes = await atOnce(10, () => t.engine.order(id, '', seconds(5)));
  expect(tally(outcomes)).toEqual({ ordered: 1, hold_used: 9 });
  expect(outcomes.find((it) => it.status === 'ordered')).toMatchObject({
    order: { amountMinor: 3980, items: [{ productId: product.id, qty: 2 }] },
  });
  expect(await t.engine.readProduct(product.id, seconds(2))).toMatchObject({ held: 0, pending: 2 });
});

test('a counted hold that Redis forgot is given back, and its buyer may hold again', async () => {
  const product = await makeProduct(t, { maxPerBuyer: 1 });
  const { id } = await held(t, product, { buyer: 'ann' });
  await forget(id);
  expect(await status(t.engine.release(id, seconds(5)))).toBe('released');
  await forget(id);
  expect(await status(t.engine.release(id, seconds(5)))).toBe('released');
  expect(await held(t, product, { buyer: 'ann' })).toMatchObject({ state: 'held' });
});

test('an order that Redis forgot is cancelled, or paid, by what MySQL says', async () => {
  const product = await makeProduct(t);
  const [cancelled, paid] = [await ordered(t, product), await ordered(t, product)];
  await forget(cancelled, paid);
  expect(await status(t.engine.cancel(cancelled, seconds(5)))).toBe('cancelled');
  expect(await status(pay(t, paid))).toBe('applied');
  await forget(cancelled, paid);
  expect(await status(t.engine.cancel(cancelled, seconds(5)))).toBe('cancelled');
  expect(await status(t.engine.cancel(paid, seconds(5)))).toBe('order_paid');
  const used = { status: 'hold_used', orderId: orderId(paid) };
  expect(await t.engine.order(paid, '', seconds(5))).toEqual(used);
  expect(await t.engine.release(paid, seconds(5))).toEqual(used);
});

test('ended holds that Redis forgot are told apart by MySQL', async () => {
  const product = await makeProduct(t, { holdTtlMs: 400 });
  const [released, expired] = [await held(t, product), await held(t, product)];
  await t.engine.release(released.id, seconds(2));
  await redisTimeAfter(t.redis, expired.expiresAtMs);
  expect(await status(t.engine.order(expired.id, '', seconds(5)))).toBe('hold_expired');
  await forget(released.id, expired.id);
  expect(await status(t.engine.order(released.id, '', seconds(5)))).toBe('hold_released');
  expect(await status(t.engine.order(expired.id, '', seconds(5)))).toBe('hold_expired');
  expect(await t.engine.readHold(released.id, seconds(5))).toMatchObject({ state: 'released' });
  expect(await t.engine.readHold(expired.id, seconds(5))).toMatchObject({ state: 'expired' });
});

test('P7: while MySQL has not caught up, a forgotten hold is unavailable and never unknown', async () => {
  const own = await ownEngine({ config: { roles: ['api'] } }, expectBooksBalance);
  const writer = await own.another({ config: { roles: ['writer'] } });
  const product = await makeProduct(own);
  await writer.close();
  const { id } = await held(own, product);
  await own.redis.del(reservationKey(0, id));
  await expect(own.engine.order(id, '', seconds(0.3))).rejects.toThrow(Unavailable);
  await expect(own.engine.readHold(id, seconds(0.3))).rejects.toThrow(Unavailable);
  await expect(own.engine.release(id, seconds(0.3))).rejects.toThrow(Unavailable);
  await own.another({ config: { roles: ['writer'] } });
  expect(await status(own.engine.release(id, seconds(5)))).toBe('released');
});

test('P7: without a writer an order is unavailable; its repeat learns what happened', async () => {
  const own = await ownEngine({ config: { roles: ['api'] } }, expectBooksBalance);
  const writer = await own.another({ config: { roles: ['writer'] } });
  const product = await makeProduct(own);
  await writer.close();
  const [first, second] = [await held(own, product), await held(own, product)];
  const key = unique('key');
  const order = (id: string, withKey: string) => own.engine.order(id, withKey, seconds(0.3));
  await expect(order(first.id, key)).rejects.toThrow(Unavailable);
  await expect(order(second.id, '')).rejects.toThrow(Unavailable);
  // Redis knows more, but nobody is told of an order that MySQL does not have.
  await expect(order(first.id, key)).rejects.toThrow(Unavailable);
  await expect(order(second.id, '')).rejects.toThrow(Unavailable);
  expect(await own.sql('SELECT id FROM orders')).toEqual([]);
  const madeBefore = await redisNowMs(own.redis);

  await own.another({ config: { roles: ['writer'] } });
  const repeated = await eventually(() => order(first.id, key));
  expect(repeated).toMatchObject({ status: 'ordered', order: { id: first.id, state: 'pending' } });
  const createdAtMs = repeated.status === 'ordered' ? repeated.order.createdAtMs : Infinity;
  expect(createdAtMs).toBeLessThanOrEqual(madeBefore);
  const used = { status: 'hold_used', orderId: orderId(second.id) };
  expect(await order(second.id, '')).toEqual(used);
  expect(await own.sql('SELECT id FROM orders')).toHaveLength(2);
});

test('P8: once MySQL is 2 s behind, orders and payments are refused before anything runs', async () => {
  const own = await ownEngine({ config: { roles: ['api'] } }, expectBooksBalance);
  const writer = await own.another({ config: { roles: ['writer'] } });
  const product = await makeProduct(own);
  const id = await ordered(own, product);
  await writer.close();
  const { id: waiting } = await held(own, product);
  await eventually(async () => {
    const { lanes } = await own.engine.admin.overview(seconds(1));
    expect(lanes[0]?.lagMs).toBeGreaterThan(2_000);
  });
  const position = await own.redis.hget(laneKey(0), 'position');
  await expect(own.engine.order(waiting, '', seconds(1))).rejects.toThrow(/behind lane 0/);
  await expect(own.engine.cancel(id, seconds(1))).rejects.toThrow(/behind lane 0/);
  await expect(pay(own, id)).rejects.toThrow(/behind lane 0/);
  expect(await own.redis.hget(laneKey(0), 'position')).toBe(position);
  expect(await held(own, product)).toMatchObject({ state: 'held' });

  await own.another({ config: { roles: ['writer', 'reconciler'] }, openMs: 0 });
  // The payment's receipt was kept, and is applied without being sent again.
  await eventually(async () => {
    expect(await own.engine.readOrder(id, seconds(1))).toMatchObject({ state: 'paid' });
  });
  expect(await eventually(() => own.engine.order(waiting, '', seconds(1)))).toMatchObject({
    status: 'ordered',
  });
});
