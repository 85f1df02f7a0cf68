import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Holdfast } from '../../src/compose.ts';
import { expectBooksBalance } from '../support/books.ts';
import { atOnce, held, hold, ordered, pay, tally, unique } from '../support/buying.ts';
import {
  makeProduct,
  newProduct,
  seconds,
  startEngine,
  type TestEngine,
} from '../support/engine.ts';

let t: TestEngine;
let other: Holdfast;

beforeAll(async () => {
  t = await startEngine();
  other = await t.another();
});
afterEach(() => expectBooksBalance(t));
afterAll(() => t.stop());

const either = (index: number): Holdfast => (index % 2 === 0 ? t : other);
const adjust = (id: number, delta: number, key: string) =>
  t.engine.admin.adjustStock(id, delta, key, seconds(5));
const stockRow = async (id: number) =>
  (await t.sql('SELECT total, available FROM stock WHERE product_id = ?', [id]))[0];
const adjustments = (id: number) =>
  t.sql('SELECT delta, epoch IS NOT NULL AS applied FROM stock_adjustments WHERE product_id = ?', [
    id,
  ]);

test('a product is sellable, and its stock committed, when it is created', async () => {
  const wanted = newProduct({
    name: 'Läufer “42” 👟',
    totalStock: 7,
    startsAtMs: Date.now() - 1_000,
    endsAtMs: Date.now() + 3_600_000,
    holdTtlMs: 5_000,
    payTtlMs: 6_000,
    maxPerHold: 3,
    maxPerBuyer: 4,
  });
  const product = await t.engine.admin.create(wanted, seconds(5));
  const { totalStock, ...rules } = wanted;
  const counters = { total: totalStock, available: 7, held: 0, pending: 0, sold: 0 };
  expect(product).toEqual({ id: product.id, ...rules, status: 'active', lane: 0, ...counters });
  expect(await stockRow(product.id)).toEqual({ total: 7, available: 7 });
  expect(await hold(other, product, { buyer: 'ann' })).toMatchObject({ status: 'held' });
  expect(await t.engine.listProducts(seconds(2))).toContainEqual({
    ...product,
    available: 6,
    held: 1,
  });
});

test('what is not told takes the configured times, and no limits', async () => {
  const product = await makeProduct(t);
  const { holdTtlMs, payTtlMs, maxPerHold, maxPerBuyer, startsAtMs, endsAtMs } = product;
  expect({ holdTtlMs, payTtlMs }).toEqual({ holdTtlMs: 120_000, payTtlMs: 900_000 });
  expect([maxPerHold, maxPerBuyer, startsAtMs, endsAtMs]).toEqual([null, null, null, null]);
});

test('a product may start with nothing to sell, and get stock later', async () => {
  const product = await makeProduct(t, { totalStock: 0 });
  expect(await hold(t, product)).toMatchObject({ status: 'sold_out', available: 0 });
  expect(await adjust(product.id, 5, 'created')).toMatchObject({ status: 'adjusted' });
  expect(await adjustments(product.id)).toEqual([{ delta: 5, applied: 1 }]);
  expect(await hold(t, product)).toMatchObject({ status: 'held' });
});

test('rules change while units stay; prices of holds that were made do not', async () => {
  const product = await makeProduct(t, { totalStock: 5, maxPerHold: 2 });
  const before = await held(t, product);
  const patch = { priceMinor: 990, maxPerHold: null, holdTtlMs: 60_000, name: 'Cheap lamp' };
  const changed = await t.engine.admin.change(product.id, patch, seconds(5));
  expect(changed).toEqual({ ...product, ...patch, available: 4, held: 1 });
  expect(await held(other, product, { qty: 3 })).toMatchObject({ amountMinor: 2970 });
  const outcome = await t.engine.order(before.id, '', seconds(5));
  expect(outcome).toMatchObject({ status: 'ordered', order: { amountMinor: 1990 } });
  expect(await t.engine.admin.change(999_999, patch, seconds(5))).toBeUndefined();
});

test('a hold and its order keep the price of the moment it was made, paid and long after', async () => {
  const product = await makeProduct(t, { extendMs: 60_000 });
  const { id } = await held(t, product, { qty: 3, key: 'old price' });
  const dearer = (priceMinor: number) =>
    t.engine.admin.change(product.id, { priceMinor }, seconds(5));
  await dearer(9_900);
  const kept = { amountMinor: 5970, currency: 'USD' };
  expect(await t.engine.extend(id, seconds(5))).toMatchObject({ hold: kept });
  expect(await t.engine.readHold(id, seconds(2))).toMatchObject(kept);
  expect(await held(t, product, { qty: 3, key: 'old price' })).toMatchObject(kept);
  expect(await t.engine.order(id, '', seconds(5))).toMatchObject({ order: kept });
  await dearer(19_900);
  expect(await pay(t, id)).toMatchObject({ status: 'applied', orderState: 'paid' });
  expect(await t.engine.readOrder(id, seconds(2))).toMatchObject({ state: 'paid', ...kept });
  const prices = await t.sql('SELECT price_minor FROM hold_items WHERE hold_id = ?', [
    `hold_${id}`,
  ]);
  expect(prices).toEqual([{ price_minor: 1990 }]);
  expect(await held(t, product)).toMatchObject({ amountMinor: 19_900 });
});

test('of changes made at once every one counts, and both stores end with the same rules', async () => {
  const product = await makeProduct(t);
  await Promise.all([
    t.engine.admin.change(product.id, { name: 'Tall lamp' }, seconds(5)),
    other.engine.admin.change(product.id, { priceMinor: 100 }, seconds(5)),
    t.engine.admin.change(product.id, { maxPerHold: 3 }, seconds(5)),
    other.engine.admin.change(product.id, { payTtlMs: 7_000 }, seconds(5)),
  ]);
  const changes = { name: 'Tall lamp', priceMinor: 100, maxPerHold: 3, payTtlMs: 7_000 };
  expect(await t.engine.readProduct(product.id, seconds(2))).toEqual({ ...product, ...changes });
  const rows = await t.sql('SELECT name, rules_version, rules_applied FROM products WHERE id = ?', [
    product.id,
  ]);
  expect(rows).toEqual([{ name: 'Tall lamp', rules_version: 5, rules_applied: 5 }]);
});

test('a paused sale gives no holds but lets orders be made, until it is resumed', async () => {
  const product = await makeProduct(t);
  const { id } = await held(t, product);
  const pause = { status: 'paused' } as const;
  expect(await t.engine.admin.change(product.id, pause, seconds(5))).toMatchObject(pause);
  expect(await hold(other, product)).toEqual({ status: 'sale_paused', productId: product.id });
  expect(await t.engine.order(id, '', seconds(5))).toMatchObject({ status: 'ordered' });
  await t.engine.admin.change(product.id, { status: 'active' }, seconds(5));
  expect(await hold(other, product)).toMatchObject({ status: 'held' });
});

test('P4: one adjustment sent 20 times at once counts once, committed when answered', async () => {
  const product = await makeProduct(t, { totalStock: 10 });
  const outcomes = await atOnce(20, (index) =>
    either(index).engine.admin.adjustStock(product.id, 7, 'delivery', seconds(5)),
  );
  expect(await stockRow(product.id)).toEqual({ total: 17, available: 17 });
  expect(await adjustments(product.id)).toEqual([{ delta: 7, applied: 1 }]);
  for (const outcome of outcomes) {
    expect(outcome).toMatchObject({ status: 'adjusted', product: { total: 17, available: 17 } });
  }
  expect(await adjust(product.id, 7, 'delivery')).toMatchObject({ product: { total: 17 } });
  expect(await adjust(product.id, 8, 'delivery')).toEqual({ status: 'adjustment_mismatch' });
  expect(await adjust(product.id, 8, 'another')).toMatchObject({ product: { total: 25 } });
  expect(await adjust(999_999, 8, 'another')).toEqual({ status: 'product_not_found' });
});

test('P4: an adjustment whose key Redis has forgotten is not made again', async () => {
  const product = await makeProduct(t);
  await adjust(product.id, 4, 'delivery');
  expect(await t.redis.del(`hf:{0}:adj:${product.id}:delivery`)).toBe(1);
  expect(await adjust(product.id, 4, 'delivery')).toMatchObject({ product: { total: 14 } });
});

test('units that are held, owed or sold are not taken away', async () => {
  const product = await makeProduct(t, { totalStock: 5 });
  await held(t, product);
  await ordered(t, product, { qty: 2 });
  const refused = { status: 'insufficient_available', available: 2 };
  expect(await adjust(product.id, -3, 'loss')).toEqual(refused);
  expect(await adjustments(product.id)).toEqual([]);
  expect(await adjust(product.id, -2, 'loss')).toMatchObject({
    product: { total: 3, available: 0, held: 1, pending: 2 },
  });
  expect(await hold(t, product)).toMatchObject({ status: 'sold_out' });
});

test('P1: units taken away while they sell: what is left is exactly sold', async () => {
  const product = await makeProduct(t, { totalStock: 60 });
  const [outcomes, adjusted] = await Promise.all([
    atOnce(100, (index) => hold(either(index), product)),
    atOnce(10, (index) =>
      either(index).engine.admin.adjustStock(product.id, -4, `loss-${index}`, seconds(5)),
    ),
  ]);
  const { adjusted: losses = 0 } = tally(adjusted);
  expect(tally(outcomes).held).toBe(60 - 4 * losses - Number(await left(product.id)));
  expect(await adjustments(product.id)).toHaveLength(losses);
});

const left = async (id: number) => (await t.engine.readProduct(id, seconds(2)))?.available;

test('twins of one adjustment, one refused and one made, leave a row in the journal', async () => {
  for (let round = 0; round < 10; round += 1) {
    const product = await makeProduct(t, { totalStock: 3 });
    const { id } = await held(t, product, { qty: 3 });
    const key = unique('loss');
    const [, , ...outcomes] = await Promise.all([
      adjust(product.id, -3, key),
      t.engine.release(id, seconds(5)),
      ...Array.from({ length: 6 }, (_, index) =>
        either(index).engine.admin.adjustStock(product.id, -3, key, seconds(5)),
      ),
    ]);
    const { adjusted = 0 } = tally(outcomes);
    const rows = await adjustments(product.id);
    if (adjusted > 0) expect(rows).toEqual([{ delta: -3, applied: 1 }]);
    const again = await adjust(product.id, -3, key);
    expect(again).toMatchObject({ status: 'adjusted', product: { total: 0, available: 0 } });
  }
});
