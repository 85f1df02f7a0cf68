import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { SoldOut } from '../../src/engine/sold-out.ts';
import { expectBooksBalance } from '../support/books.ts';
import { held, hold, unique } from '../support/buying.ts';
import { makeProduct, seconds, startEngine, type TestEngine } from '../support/engine.ts';
import { eventually } from '../support/wait.ts';

describe('what is remembered of a refusal', () => {
  const LANE = 3;
  let soldOut: SoldOut;

  beforeEach(() => {
    vi.useFakeTimers();
    soldOut = new SoldOut();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  const ask = (qty: number, buyer = '', key = '') => ({
    items: [{ productId: 7, qty }],
    buyer,
    key,
  });
  const refused = (available: number, retryAfterMs = 60_000) =>
    ({ status: 'sold_out', productId: 7, available, retryAfterMs }) as const;

  test('its product alone, in its lane alone, for 200 ms', () => {
    soldOut.remember(LANE, ask(1), refused(0));
    vi.advanceTimersByTime(150);
    expect(soldOut.find(LANE, ask(1))).toEqual(refused(0, 59_850));
    expect(soldOut.find(LANE + 1, ask(1))).toBeUndefined();
    expect(soldOut.find(LANE, { ...ask(1), items: [{ productId: 8, qty: 1 }] })).toBeUndefined();
    vi.advanceTimersByTime(50);
    expect(soldOut.find(LANE, ask(1))).toBeUndefined();
  });

  test('never beyond the next deadline', () => {
    soldOut.remember(LANE, ask(1), refused(0, 30));
    vi.advanceTimersByTime(29);
    expect(soldOut.find(LANE, ask(1))).toEqual(refused(0, 1));
    vi.advanceTimersByTime(1);
    expect(soldOut.find(LANE, ask(1))).toBeUndefined();
  });

  test('of no more units than were refused', () => {
    soldOut.remember(LANE, ask(5), refused(0));
    soldOut.remember(LANE, ask(2), refused(0));
    const known = [1, 2, 5, 6].map((qty) => soldOut.find(LANE, ask(qty)) !== undefined);
    expect(known).toEqual([true, true, true, false]);
  });

  test('nothing while units are left: who takes fewer changes what is true', () => {
    soldOut.remember(LANE, ask(5), refused(2));
    expect(soldOut.find(LANE, ask(5))).toBeUndefined();
  });

  test('nobody without a buyer, where only buyers were refused', () => {
    soldOut.remember(LANE, ask(1, 'ann'), refused(0));
    expect(soldOut.find(LANE, ask(1))).toBeUndefined();
    expect(soldOut.find(LANE, ask(1, 'bob'))).toBeDefined();
    soldOut.remember(LANE, ask(1), refused(0));
    expect(soldOut.find(LANE, ask(1))).toBeDefined();
    soldOut.remember(LANE, ask(1, 'ann'), refused(0));
    expect(soldOut.find(LANE, ask(1))).toBeDefined();
  });

  test('nobody with a key, and nothing of several products', () => {
    const several = { ...ask(1), items: [7, 8].map((productId) => ({ productId, qty: 1 })) };
    soldOut.remember(LANE, several, refused(0));
    expect(soldOut.find(LANE, ask(1))).toBeUndefined();
    soldOut.remember(LANE, ask(1), refused(0));
    expect(soldOut.find(LANE, several)).toBeUndefined();
    expect(soldOut.find(LANE, ask(1, '', 'key'))).toBeUndefined();
  });

  test('nothing once units may be back', () => {
    soldOut.remember(LANE, ask(1), refused(0));
    soldOut.forget(LANE + 1);
    expect(soldOut.find(LANE, ask(1))).toBeDefined();
    soldOut.forget(LANE);
    expect(soldOut.find(LANE, ask(1))).toBeUndefined();
  });
});

describe('P3: units that come back are sold', () => {
  let t: TestEngine;

  beforeAll(async () => {
    t = await startEngine();
  });
  afterEach(() => expectBooksBalance(t));
  afterAll(() => t.stop());

  const statusOf = async (id: number) => (await hold(t, { id })).status;

  test('at once, where this process gave them back', async () => {
    const product = await makeProduct(t, { totalStock: 1 });
    for (let times = 0; times < 20; times += 1) {
      const { id } = await held(t, product);
      expect(await statusOf(product.id)).toBe('sold_out');
      expect(await statusOf(product.id)).toBe('sold_out');
      await t.engine.release(id, seconds(2));
    }
    await held(t, product);
    expect(await statusOf(product.id)).toBe('sold_out');
    await t.engine.admin.adjustStock(product.id, 1, unique('more'), seconds(5));
    await held(t, product);
  });

  test('within 250 ms, where another process did', async () => {
    const other = await t.another({ config: { roles: ['api'] } });
    const product = await makeProduct(t, { totalStock: 1 });
    const { id } = await held(t, product);
    expect(await statusOf(product.id)).toBe('sold_out');
    await other.engine.release(id, seconds(2));
    // The promise's own figure; what a busy machine adds is granted.
    await eventually(async () => expect(await statusOf(product.id)).toBe('held'), 2_000);
  });

  test('who repeats a key gets the hold that it made', async () => {
    const product = await makeProduct(t, { totalStock: 1 });
    const key = unique('key');
    const first = await held(t, product, { key });
    expect(await statusOf(product.id)).toBe('sold_out');
    expect(await held(t, product, { key })).toEqual(first);
  });
});
