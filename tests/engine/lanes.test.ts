import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { laneOf } from '../../src/domain/ids.ts';
import { expectBooksBalance } from '../support/books.ts';
import { atOnce, held, hold, ordered, pay, tally } from '../support/buying.ts';
import { makeProduct, seconds, startEngine, type TestEngine } from '../support/engine.ts';

let t: TestEngine;

beforeAll(async () => {
  t = await startEngine({ config: { lanes: 3 } });
});
afterEach(() => expectBooksBalance(t));
afterAll(() => t.stop());

test('products spread over the lanes by their id, unless a lane is asked for', async () => {
  const spread = await Promise.all(Array.from({ length: 6 }, () => makeProduct(t)));
  for (const { id, lane } of spread) expect(lane).toBe(id % 3);
  expect(new Set(spread.map(({ lane }) => lane)).size).toBe(3);
  const asked = await makeProduct(t, { lane: 2 });
  expect(asked.lane).toBe(2);
  expect((await t.engine.readProduct(asked.id, seconds(2)))?.lane).toBe(2);
});

test('an id alone leads to the lane of its product', async () => {
  for (const lane of [0, 1, 2]) {
    const product = await makeProduct(t, { lane });
    const id = await ordered(t, product);
    expect(laneOf(id)).toBe(lane);
    expect(await pay(t, id)).toMatchObject({ status: 'applied' });
    expect(await t.engine.readOrder(id, seconds(2))).toMatchObject({ state: 'paid' });
    const [row] = await t.sql('SELECT lane FROM holds WHERE id = ?', [`hold_${id}`]);
    expect(row).toEqual({ lane });
  }
});

test('items in different lanes are refused, and nothing is taken', async () => {
  const products = [await makeProduct(t, { lane: 0 }), await makeProduct(t, { lane: 1 })];
  const items = products.map(({ id }) => ({ productId: id, qty: 1 }));
  expect(await hold(t, items)).toEqual({ status: 'items_in_different_lanes' });
  for (const { id } of products) {
    expect(await t.engine.readProduct(id, seconds(2))).toMatchObject({ available: 10 });
  }
  const together = await makeProduct(t, { lane: 1 });
  const near = [products[1]?.id ?? 0, together.id].map((productId) => ({ productId, qty: 1 }));
  expect((await held(t, near)).items).toEqual(near);
});

test('P1: lanes sell side by side, each to its last unit', async () => {
  const products = await Promise.all(
    [0, 1, 2].map((lane) => makeProduct(t, { lane, totalStock: 20 + lane })),
  );
  const outcomes = await Promise.all(
    products.map((product) => atOnce(200, () => hold(t, product))),
  );
  for (const [lane, each] of outcomes.entries()) {
    expect(tally(each)).toEqual({ held: 20 + lane, sold_out: 180 - lane });
  }
});

test('the overview tells of every product and every lane', async () => {
  const product = await makeProduct(t, { lane: 1, totalStock: 5 });
  await held(t, product, { qty: 2 });
  await expectBooksBalance(t);
  const overview = await t.engine.admin.overview(seconds(3));
  expect(overview.products.find(({ id }) => id === product.id)).toEqual({
    ...product,
    available: 3,
    held: 2,
  });
  expect(overview.lanes.map(({ lane, state, epoch }) => [lane, state, epoch])).toEqual([
    [0, 'open', 1],
    [1, 'open', 1],
    [2, 'open', 1],
  ]);
  for (const lane of overview.lanes) {
    expect(lane.position).toBe(lane.watermark);
    expect(lane.liveReservations).toBe(await t.redis.zcard(`hf:{${lane.lane}}:due`));
  }
  expect(overview).toMatchObject({ refundsDue: 0, openReceipts: 0 });
  expect(await t.ready()).toEqual({ ok: true, checks: { redis: 'ok', mysql: 'ok', lanes: 'ok' } });
});
