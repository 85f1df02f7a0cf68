import { describe, expect, test } from 'vitest';
import {
  counts,
  goodSale,
  hold,
  holdRow,
  iso,
  NOTHING_DECLARED,
  orderRow,
  PRODUCT,
  STOCK,
  setBooks,
  verdictOf,
} from './checker/made-up.ts';

// The checker's own examination: whoever breaks one invariant in a sale that went well must be seen.

test('a sale that went well is green, and an unknown outcome is neither', () => {
  const sale = goodSale();
  expect(counts(sale)).toEqual({});
  const { operations, acknowledged, refused, unknown } = verdictOf(sale);
  expect({ operations, acknowledged, refused, unknown }).toEqual({
    ...{ operations: 7, acknowledged: 6, refused: 0, unknown: 1 },
  });
});

test('an unknown outcome may have happened', () => {
  const sale = goodSale();
  sale.state.adjustments.set(`${PRODUCT}:more`, { delta: 1, isPlaced: true });
  const more = { total: STOCK + 1, available: STOCK };
  setBooks(sale, 'redis', more);
  setBooks(sale, 'stock', more);
  expect(counts(sale)).toEqual({});
});

describe('I1: the books add up, in Redis and in MySQL', () => {
  test('counters that do not add up', () => {
    const sale = goodSale();
    setBooks(sale, 'redis', { available: STOCK });
    expect(counts(sale)).toMatchObject({ drift: 2 });
  });

  test('stores that differ, though each adds up', () => {
    const sale = goodSale();
    setBooks(sale, 'stock', { available: STOCK, sold: 0 });
    expect(counts(sale)).toEqual({ drift: 2 });
  });

  test('a member of the deadline index that nothing stands behind', () => {
    const sale = goodSale();
    Object.assign(sale.state.books.get(PRODUCT)?.index ?? {}, { held: 1 });
    expect(counts(sale)).toEqual({ drift: 1 });
  });

  test('a buyer who is counted for units that he gave back', () => {
    const sale = goodSale();
    sale.state.books.get(PRODUCT)?.buyers.set('b', 1);
    expect(counts(sale)).toEqual({ drift: 1 });
  });

  test('a journal that MySQL does not have to its end', () => {
    const sale = goodSale();
    Object.assign(sale.state.lanes[0] ?? {}, { mysql: '1-8 earlier' });
    expect(counts(sale)).toEqual({ drift: 1 });
  });

  test('a dead letter that nobody replayed, and a drift that nobody put right', () => {
    const sale = goodSale();
    sale.state.deadLetters.push({ position: '1-4', what: 'reservation x, not taken' });
    sale.state.drifts.push({ position: '1-7', what: 'product 7' });
    expect(counts(sale)).toEqual({ broken: 2 });
  });
});

describe('I2: nothing negative, nothing sold twice', () => {
  test('a negative counter', () => {
    const sale = goodSale();
    for (const account of ['redis', 'stock'] as const) {
      setBooks(sale, account, { available: -1, sold: STOCK + 1 });
    }
    expect(counts(sale)).toMatchObject({ oversold: 2 });
  });

  test('more live holds at one moment than there is stock, though they all ended well', () => {
    const sale = goodSale();
    sale.held('d', 20);
    expect(counts(sale)).toEqual({ oversold: 1 });
  });

  test('holds that follow each other are no more than the stock', () => {
    const sale = goodSale();
    sale.held('d', 1_100).held('e', 1_200);
    expect(counts(sale)).toEqual({});
  });

  test('a hold is live until somebody may have ended it', () => {
    const sale = goodSale();
    sale.told({ kind: 'order', hold_id: hold('c') }, 900, 503);
    sale.held('d', 20);
    expect(counts(sale)).toEqual({ oversold: 1 });
  });
});

describe('I3: one end, once', () => {
  test('a hold that never ended', () => {
    const sale = goodSale();
    Object.assign(holdRow(sale, 'c'), { state: 'held', endedAtMs: null });
    expect(counts(sale)).toMatchObject({ broken: 1 });
  });

  test('a hold that expired before its deadline', () => {
    const sale = goodSale();
    holdRow(sale, 'c').endedAtMs = holdRow(sale, 'c').expiresAtMs - 1;
    expect(counts(sale)).toEqual({ lost: 1 });
  });

  test('a hold extended, whose row has another deadline', () => {
    const BODIES: Record<number, object> = {
      200: { expires_at: iso(2_500) },
      409: { code: 'extension_not_allowed' },
    };
    const extended = (status: number, byMs: number) => {
      const sale = goodSale();
      const body = BODIES[status] ?? {};
      sale.told({ kind: 'extend', hold_id: hold('c') }, 100, status, body);
      const row = holdRow(sale, 'c');
      const expiresAtMs = row.expiresAtMs + byMs;
      Object.assign(row, { expiresAtMs, endedAtMs: expiresAtMs + 5 });
      return counts(sale);
    };
    expect(extended(200, 1_500)).toEqual({});
    expect(extended(200, 0)).toEqual({ lost: 1 });
    expect(extended(503, 1_500)).toEqual({});
    expect(extended(503, 0)).toEqual({});
    expect(extended(503, 2_001)).toEqual({ broken: 1 });
    expect(extended(409, 1_500)).toEqual({ broken: 1 });
  });

  test('a hold acknowledged as released and as ordered', () => {
    const sale = goodSale();
    sale.told({ kind: 'release', hold_id: hold('a') }, 40, 200, { status: 'released' });
    expect(counts(sale)).toEqual({ duplicated: 1 });
  });

  test('an order without its hold having become one', () => {
    const sale = goodSale();
    holdRow(sale, 'a').state = 'expired';
    expect(counts(sale)).toMatchObject({ broken: 1 });
  });

  test('an order paid by nothing', () => {
    const sale = goodSale();
    sale.held('d', 1_100, 'ordered').ordered('d', 1_150, 'paid', 'pay-d').sold(2);
    expect(counts(sale)).toEqual({ broken: 1 });
  });
});

describe('I8: units are back in time', () => {
  const promised = { ...NOTHING_DECLARED, backWithinMs: 1_000 };

  test('of a hold', () => {
    const sale = goodSale();
    expect(counts(sale, promised)).toEqual({});
    holdRow(sale, 'c').endedAtMs = holdRow(sale, 'c').expiresAtMs + 1_001;
    expect(counts(sale, promised)).toEqual({ broken: 1 });
  });

  test('of an order', () => {
    const sale = goodSale();
    sale.held('d', 1_100, 'ordered').ordered('d', 1_150);
    orderRow(sale, 'd').settledAtMs = orderRow(sale, 'd').payByMs + 1_001;
    expect(counts(sale, promised)).toEqual({ broken: 1 });
  });
});

test('a hold that appears after its caller gave up', () => {
  const sale = goodSale();
  const items = [{ product_id: PRODUCT, qty: 1 }];
  sale.told({ kind: 'hold', items, buyer: 'late', key: 'late-key' }, 1_100, 503);
  const row = { ...holdRow(sale, 'c'), buyer: 'late', key: 'late-key' };
  const createdAtMs = row.createdAtMs + 1_500;
  sale.state.holds.set(hold('late'), { ...row, createdAtMs });
  expect(counts(sale)).toEqual({});
  expect(counts(sale, { ...NOTHING_DECLARED, noLateHolds: true })).toEqual({ broken: 1 });
});

test('a refusal that makes no sense, and a failure inside the engine', () => {
  const sale = goodSale();
  sale.told({ kind: 'read', path: '/' }, 500, 404, { code: 'product_not_found' });
  sale.told({ kind: 'read', path: '/' }, 600, 500);
  sale.told({ kind: 'order', hold_id: hold('c') }, 700, 404, { code: 'hold_not_found' });
  expect(counts(sale)).toEqual({ broken: 2, lost: 1 });
});
