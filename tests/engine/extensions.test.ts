import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Holdfast } from '../../src/compose.ts';
import { newReservationId, orderId } from '../../src/domain/ids.ts';
import { buyersKey, reservationKey } from '../../src/redis/keys.ts';
import { drained, expectBooksBalance } from '../support/books.ts';
import { atOnce, held, hold, ordered, tally } from '../support/buying.ts';
import { makeProduct, seconds, startEngine, type TestEngine } from '../support/engine.ts';
import { redisNowMs, redisTimeAfter } from '../support/redis.ts';
import { eventually } from '../support/wait.ts';

let t: TestEngine;
let other: Holdfast;

beforeAll(async () => {
  t = await startEngine();
  other = await t.another();
});
afterEach(() => expectBooksBalance(t));
afterAll(() => t.stop());

const either = (index: number): Holdfast => (index % 2 === 0 ? t : other);
const extend = (id: string) => t.engine.extend(id, seconds(5));
const rowOf = async (id: string) => {
  await drained(t);
  return (await t.sql('SELECT * FROM holds WHERE id = ?', [`hold_${id}`]))[0];
};
const unitsOf = (id: number) => t.engine.readProduct(id, seconds(2));

test('P4: 50 extensions at once, through two processes, move the deadline once', async () => {
  const product = await makeProduct(t, { extendMs: 45_000, maxPerBuyer: 4 });
  const first = await held(t, product, { qty: 3, buyer: 'ann', key: 'extended' });
  const outcomes = await atOnce(50, (index) => either(index).engine.extend(first.id, seconds(5)));
  const extended = { ...first, expiresAtMs: first.expiresAtMs + 45_000 };
  for (const outcome of outcomes) expect(outcome).toEqual({ status: 'extended', hold: extended });
  expect(await t.engine.readHold(first.id, seconds(2))).toEqual(extended);
  expect(await extend(first.id)).toEqual({ status: 'extended', hold: extended });
  expect(await unitsOf(product.id)).toMatchObject({ available: 7, held: 3 });
  expect(await t.redis.hget(buyersKey(0, product.id), 'ann')).toBe('3');
  expect(await hold(t, product, { qty: 2, buyer: 'ann' })).toMatchObject({ units: 3 });
  expect(await rowOf(first.id)).toMatchObject({
    ...{ state: 'held', version: 2, ended_at: null },
    expires_at: new Date(extended.expiresAtMs),
  });
  // The key of the hold tells its first answer.
  const repeated = await hold(t, product, { qty: 3, buyer: 'ann', key: 'extended' });
  expect(repeated).toEqual({ status: 'held', hold: first });
});

test('holds can be extended where their product allows it, and not where one of them does not', async () => {
  const [plain, generous] = [await makeProduct(t), await makeProduct(t, { extendMs: 5_000 })];
  const items = [plain, generous].map(({ id }) => ({ productId: id, qty: 1 }));
  const { id, expiresAtMs } = await held(t, items);
  expect(await extend(id)).toEqual({ status: 'extension_not_allowed' });
  expect(await extend((await held(t, plain)).id)).toEqual({ status: 'extension_not_allowed' });
  const allowed = await t.engine.admin.change(plain.id, { extendMs: 2_000 }, seconds(5));
  expect(allowed).toMatchObject({ extendMs: 2_000 });
  const outcome = { status: 'extended', hold: { expiresAtMs: expiresAtMs + 2_000 } };
  expect(await extend(id)).toMatchObject(outcome);
  await t.engine.admin.change(plain.id, { extendMs: 0 }, seconds(5));
  expect(await extend(id)).toMatchObject(outcome);
  expect(await extend((await held(t, plain)).id)).toEqual({ status: 'extension_not_allowed' });
});

test('what is no hold any more, or never was one, is told apart', async () => {
  const product = await makeProduct(t, { extendMs: 60_000 });
  const short = await makeProduct(t, { extendMs: 60_000, holdTtlMs: 50 });
  const released = await held(t, product);
  await t.engine.release(released.id, seconds(2));
  const used = await ordered(t, product);
  const overdue = await held(t, short);
  await redisTimeAfter(t.redis, overdue.expiresAtMs);
  const tell = async () => {
    expect(await extend(released.id)).toEqual({ status: 'hold_released' });
    expect(await extend(used)).toEqual({ status: 'hold_used', orderId: orderId(used) });
    expect(await extend(overdue.id)).toEqual({ status: 'hold_expired' });
  };
  await tell();
  await drained(t);
  // Long after, MySQL tells it.
  for (const id of [released.id, used, overdue.id]) await t.redis.del(reservationKey(0, id));
  for (const id of [released.id, overdue.id]) {
    expect(await extend(id)).toMatchObject({ status: expect.stringMatching(/^hold_/) });
  }
  for (const unknown of [newReservationId(0), newReservationId(7)]) {
    expect(await extend(unknown)).toEqual({ status: 'hold_not_found' });
  }
});

test('a hold is extended or expires, whoever is first, and its units come back once', async () => {
  const product = await makeProduct(t, { totalStock: 60, holdTtlMs: 250, extendMs: 400 });
  const holds = await atOnce(60, () => held(t, product));
  const last = Math.max(...holds.map(({ expiresAtMs }) => expiresAtMs));
  // Around their deadlines, from both sides.
  const outcomes = await atOnce(60, async (index) => {
    const { id, expiresAtMs } = holds[index] ?? { id: '', expiresAtMs: 0 };
    await redisTimeAfter(t.redis, expiresAtMs - 60 + 2 * index);
    return either(index).engine.extend(id, seconds(5));
  });
  const { extended = 0, hold_expired = 0 } = tally(outcomes);
  expect(extended + hold_expired).toBe(60);
  for (const [index, outcome] of outcomes.entries()) {
    if (outcome.status !== 'extended') continue;
    expect(outcome.hold.expiresAtMs).toBe((holds[index]?.expiresAtMs ?? 0) + 400);
  }
  await redisTimeAfter(t.redis, last + 400);
  await eventually(async () => {
    expect(await unitsOf(product.id)).toMatchObject({ available: 60, held: 0 });
  });
});

test('units come back at the new deadline and not at the old one', async () => {
  const limits = { holdTtlMs: 500, extendMs: 1_500, maxPerBuyer: 5 };
  const product = await makeProduct(t, { totalStock: 5, ...limits });
  const { id, expiresAtMs } = await held(t, product, { qty: 5, buyer: 'ann' });
  expect(await extend(id)).toMatchObject({ status: 'extended' });
  await redisTimeAfter(t.redis, expiresAtMs);
  expect(await hold(t, product, { buyer: 'bob' })).toMatchObject({ status: 'sold_out' });
  expect(await t.engine.readHold(id, seconds(2))).toMatchObject({ state: 'held' });
  expect(await redisNowMs(t.redis)).toBeLessThan(expiresAtMs + 1_500);
  await redisTimeAfter(t.redis, expiresAtMs + 1_500);
  expect(await hold(t, product, { qty: 5, buyer: 'ann' })).toMatchObject({ status: 'held' });
  expect(await t.engine.readHold(id, seconds(2))).toMatchObject({
    ...{ state: 'expired', expiresAtMs: expiresAtMs + 1_500 },
  });
});

test('past its old deadline an extended hold can still be ordered, and tells its own deadline', async () => {
  const product = await makeProduct(t, { holdTtlMs: 500, extendMs: 60_000 });
  const { id, expiresAtMs } = await held(t, product, { qty: 2 });
  await extend(id);
  await redisTimeAfter(t.redis, expiresAtMs);
  const outcome = await t.engine.order(id, '', seconds(5));
  expect(outcome).toMatchObject({ status: 'ordered', order: { amountMinor: 3980 } });
  expect(await t.engine.readHold(id, seconds(2))).toMatchObject({
    ...{ state: 'ordered', expiresAtMs: expiresAtMs + 60_000 },
  });
  expect(await rowOf(id)).toMatchObject({ state: 'ordered', version: 3 });
  const steps = 'SELECT version, from_state, to_state FROM transitions WHERE reservation = ?';
  expect(await t.sql(`${steps} ORDER BY version`, [id])).toEqual([
    { version: 1, from_state: 'none', to_state: 'held' },
    { version: 2, from_state: 'held', to_state: 'held' },
    { version: 3, from_state: 'held', to_state: 'pending' },
  ]);
});
