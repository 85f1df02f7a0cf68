import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Holdfast } from '../../src/compose.ts';
import { Deadline } from '../../src/domain/deadline.ts';
import { newReservationId } from '../../src/domain/ids.ts';
import { Unavailable } from '../../src/domain/unavailable.ts';
import { laneKey } from '../../src/redis/keys.ts';
import { expectBooksBalance } from '../support/books.ts';
import { atOnce, held, hold, ordered, tally, unique } from '../support/buying.ts';
import { makeProduct, seconds, startEngine, type TestEngine } from '../support/engine.ts';

let t: TestEngine;
let other: Holdfast;

beforeAll(async () => {
  t = await startEngine();
  other = await t.another();
});
afterEach(() => expectBooksBalance(t));
afterAll(() => t.stop());

/** Half of all calls reach each of two processes. */
const either = (index: number): Holdfast => (index % 2 === 0 ? t : other);

test('P1: 1,000 holds at once on 100 units give exactly 100, through two processes', async () => {
  const product = await makeProduct(t, { totalStock: 100 });
  const outcomes = await atOnce(1_000, (index) => hold(either(index), product));
  expect(tally(outcomes)).toEqual({ held: 100, sold_out: 900 });
  const ids = outcomes.flatMap((it) => (it.status === 'held' ? [it.hold.id] : []));
  expect(new Set(ids).size).toBe(100);
  const counters = { total: 100, available: 0, held: 100, pending: 0, sold: 0 };
  expect(await t.engine.readProduct(product.id, seconds(2))).toMatchObject(counters);
  await expectBooksBalance(t);
  const [rows] = await t.sql(
    "SELECT COUNT(*) AS holds, SUM(i.qty) AS units FROM holds h JOIN hold_items i ON h.id = i.hold_id WHERE h.state = 'held' AND i.product_id = ?",
    [product.id],
  );
  expect(rows).toEqual({ holds: 100, units: '100' });
  expect(await t.sql('SELECT available FROM stock WHERE product_id = ?', [product.id])).toEqual([
    { available: 0 },
  ]);
});

test('P1: holds of different sizes never take more than there is', async () => {
  const product = await makeProduct(t, { totalStock: 100 });
  const outcomes = await atOnce(200, (index) =>
    hold(either(index), product, { qty: 1 + (index % 7) }),
  );
  const units = outcomes.flatMap((it) =>
    it.status === 'held' ? it.hold.items.map(({ qty }) => qty) : [],
  );
  const left = await t.engine.readProduct(product.id, seconds(2));
  expect(units.reduce((a, b) => a + b)).toBe(100 - (left?.available ?? 0));
  expect(left).toMatchObject({ available: 0, held: 100 });
});

test('a hold of several products takes all of them or none', async () => {
  const [plenty, scarce] = [
    await makeProduct(t, { totalStock: 50 }),
    await makeProduct(t, { totalStock: 6 }),
  ];
  const outcomes = await atOnce(20, (index) => {
    const items = [
      { productId: scarce.id, qty: 2 },
      { productId: plenty.id, qty: 1 },
    ];
    return hold(either(index), index % 2 === 0 ? items : items.reverse());
  });
  expect(tally(outcomes)).toEqual({ held: 3, sold_out: 17 });
  const refused = outcomes.find(({ status }) => status === 'sold_out');
  expect(refused).toMatchObject({ productId: scarce.id, available: 0 });
  expect(await t.engine.readProduct(plenty.id, seconds(2))).toMatchObject({
    available: 47,
    held: 3,
  });
});

test('lines of the same product are added up before units are counted', async () => {
  const product = await makeProduct(t, { totalStock: 10 });
  const line = (qty: number) => ({ productId: product.id, qty });
  expect(await hold(t, [line(6), line(6)])).toMatchObject({ status: 'sold_out', available: 10 });
  expect(await held(t, [line(3), line(4)])).toMatchObject({ items: [line(7)], amountMinor: 13930 });
});

test('30 holds at once of one buyer with a limit of 2 give 2', async () => {
  const product = await makeProduct(t, { totalStock: 30, maxPerBuyer: 2 });
  const outcomes = await atOnce(30, (index) => hold(either(index), product, { buyer: 'ann' }));
  expect(tally(outcomes)).toEqual({ held: 2, buyer_limit: 28 });
  expect(await hold(t, product, { buyer: 'bob', qty: 3 })).toMatchObject({
    status: 'buyer_limit',
    maxPerBuyer: 2,
    units: 0,
  });
  expect(await hold(t, product, { buyer: 'bob', qty: 2 })).toMatchObject({ status: 'held' });
  expect(await hold(t, product)).toMatchObject({ status: 'buyer_required' });
});

test('what a buyer ordered counts towards the limit, what he gave back does not', async () => {
  const product = await makeProduct(t, { maxPerBuyer: 2 });
  await ordered(t, product, { buyer: 'ann' });
  const { id } = await held(t, product, { buyer: 'ann' });
  expect(await hold(t, product, { buyer: 'ann' })).toMatchObject({ status: 'buyer_limit' });
  await t.engine.release(id, seconds(2));
  expect(await hold(t, product, { buyer: 'ann' })).toMatchObject({ status: 'held' });
});

test('P4: one Idempotency-Key sent 20 times at once gives one hold', async () => {
  const product = await makeProduct(t);
  const key = unique('key');
  const outcomes = await atOnce(20, (index) => hold(either(index), product, { key, qty: 2 }));
  const holds = outcomes.map((it) => (it.status === 'held' ? it.hold : undefined));
  expect(holds[0]).toMatchObject({ items: [{ productId: product.id, qty: 2 }] });
  for (const each of holds) expect(each).toEqual(holds[0]);
  expect(await t.engine.readProduct(product.id, seconds(2))).toMatchObject({ held: 2 });
  for (const changes of [{ qty: 3 }, { qty: 2, buyer: 'ann' }]) {
    const outcome = await hold(t, product, { key, ...changes });
    expect(outcome).toEqual({ status: 'idempotency_mismatch' });
  }
});

test('P4: one key with two contents at once: the first wins, the other is a mismatch', async () => {
  const product = await makeProduct(t);
  const key = unique('key');
  const outcomes = await atOnce(20, (index) =>
    hold(either(index), product, { key, qty: 1 + (index % 2) }),
  );
  expect(tally(outcomes)).toEqual({ held: 10, idempotency_mismatch: 10 });
});

test('a refusal is not remembered under its key', async () => {
  const product = await makeProduct(t, { totalStock: 1 });
  const { id } = await held(t, product);
  const key = unique('key');
  expect(await hold(t, product, { key })).toMatchObject({ status: 'sold_out' });
  await t.engine.release(id, seconds(2));
  expect(await hold(t, product, { key })).toMatchObject({ status: 'held' });
});

test('sold_out says how many are left and when the next hold runs out', async () => {
  const product = await makeProduct(t, { totalStock: 5, holdTtlMs: 60_000 });
  await held(t, product, { qty: 3 });
  const outcome = await hold(t, product, { qty: 4 });
  expect(outcome).toMatchObject({ status: 'sold_out', productId: product.id, available: 2 });
  const retryAfterMs = outcome.status === 'sold_out' ? outcome.retryAfterMs : Number.NaN;
  expect(retryAfterMs).toBeGreaterThan(0);
  expect(retryAfterMs).toBeLessThanOrEqual(60_000);
});

test('the rules of the sale are checked before any unit is taken', async () => {
  const hour = 3_600_000;
  const start = await makeProduct(t, { startsAtMs: Date.now() + hour });
  const end = await makeProduct(t, { endsAtMs: Date.now() - hour });
  const few = await makeProduct(t, { maxPerHold: 2 });
  const euro = await makeProduct(t, { currency: 'EUR' });
  expect(await hold(t, start)).toMatchObject({ status: 'sale_not_started', productId: start.id });
  expect(await hold(t, end)).toMatchObject({ status: 'sale_ended', productId: end.id });
  expect(await hold(t, few, { qty: 3 })).toMatchObject({
    status: 'qty_above_limit',
    maxPerHold: 2,
  });
  const items = [few, euro].map(({ id }) => ({ productId: id, qty: 1 }));
  expect(await hold(t, items)).toEqual({ status: 'mixed_currencies' });
  const unknown = await hold(t, [{ productId: 999_999, qty: 1 }]);
  expect(unknown).toEqual({ status: 'product_not_found', productId: 999_999 });
  for (const { id } of [start, end, few, euro]) {
    expect(await t.engine.readProduct(id, seconds(2))).toMatchObject({ available: 10 });
  }
});

test('P7: a request whose deadline has passed writes nothing and is no refusal', async () => {
  const product = await makeProduct(t);
  const { id } = await held(t, product);
  const positions = () => t.redis.hget(laneKey(0), 'position');
  const before = await positions();
  const items = [{ productId: product.id, qty: 1 }];
  const late = () => new Deadline(-1);
  const calls = [
    t.engine.hold({ items, buyer: '', key: unique('key') }, late()),
    t.engine.order(id, unique('key'), late()),
    t.engine.release(id, late()),
  ];
  for (const result of await Promise.allSettled(calls)) {
    expect(result).toMatchObject({ status: 'rejected', reason: expect.any(Unavailable) });
  }
  // The scripts were sent before this one, on the same connection.
  await t.link.redis.ping();
  expect(await positions()).toBe(before);
});

test('a hold given back is sold again; given back 50 times at once, it counts once', async () => {
  const product = await makeProduct(t, { totalStock: 4 });
  const first = await held(t, product, { qty: 4 });
  const outcomes = await atOnce(50, (index) => either(index).engine.release(first.id, seconds(5)));
  const released = { ...first, state: 'released' };
  for (const outcome of outcomes) expect(outcome).toEqual({ status: 'released', hold: released });
  expect(await t.engine.readHold(first.id, seconds(2))).toEqual(released);
  expect(await hold(t, product, { qty: 4 })).toMatchObject({ status: 'held' });
});

test('a hold is read as held, as ordered, and as unknown', async () => {
  const product = await makeProduct(t);
  const fresh = await held(t, product, { qty: 2 });
  expect(await t.engine.readHold(fresh.id, seconds(2))).toEqual(fresh);
  const id = await ordered(t, product);
  expect(await t.engine.readHold(id, seconds(2))).toMatchObject({ state: 'ordered' });
  for (const unknown of [newReservationId(0), newReservationId(7)]) {
    expect(await t.engine.readHold(unknown, seconds(2))).toBeUndefined();
    expect(await t.engine.release(unknown, seconds(2))).toEqual({ status: 'hold_not_found' });
  }
});

test('holds of one turn share journal entries, unless each is to have a script call of its own', async () => {
  const product = await makeProduct(t, { totalStock: 100 });
  const lastEntry = async () => Number((await t.redis.hget(laneKey(0), 'position'))?.split('-')[1]);
  const entriesOf40 = async (process: Holdfast) => {
    // From here on it knows the product's lane, and waits for nothing before it holds.
    await held(process, product);
    const before = await lastEntry();
    await atOnce(40, () => held(process, product));
    return (await lastEntry()) - before;
  };
  expect(await entriesOf40(t)).toBeLessThan(20);
  expect(await entriesOf40(await t.another({ batchMax: 1 }))).toBeGreaterThanOrEqual(40);
});
