import { describe, expect, test } from 'vitest';
import {
  counts,
  goodSale,
  hold,
  holdRow,
  iso,
  order,
  orderRow,
  PRODUCT,
  REDIS_LOSES,
  verdictOf,
} from './checker/made-up.ts';

// What was acknowledged: lost, done twice, or come to nothing.

describe('I4: what was acknowledged is there', () => {
  test('a hold in no row', () => {
    const sale = goodSale().holdTold('gone', 1_200);
    expect(counts(sale)).toEqual({ lost: 1 });
    expect(counts(sale, REDIS_LOSES)).toEqual({ declared: 1 });
    expect(verdictOf(sale, REDIS_LOSES).findings.isClean).toBe(true);
  });

  test('an order in no row, whatever the row of the table declares', () => {
    const sale = goodSale();
    const body = { order_id: order('gone'), pay_by: iso(3_000) };
    sale.told({ kind: 'order', hold_id: hold('gone') }, 1_300, 201, body);
    expect(counts(sale, REDIS_LOSES)).toEqual({ lost: 1 });
  });

  test('an order that another answer spoke of, in no row', () => {
    const sale = goodSale();
    const body = { code: 'hold_used', order_id: order('gone') };
    sale.told({ kind: 'order', hold_id: hold('gone') }, 1_300, 409, body);
    expect(counts(sale, REDIS_LOSES)).toEqual({ lost: 1 });
  });

  test('an order that nobody finds right after its acknowledgement', () => {
    const sale = goodSale();
    const answer = { code: 'order_not_found' };
    sale.told({ kind: 'read', path: `/api/orders/${order('a')}` }, 70, 404, answer);
    expect(counts(sale)).toEqual({ lost: 1 });
  });

  test('a payment whose receipt says something else', () => {
    const sale = goodSale();
    Object.assign(sale.state.receipts.get('pay-a') ?? {}, { outcome: 'refund_due' });
    expect(counts(sale)).toMatchObject({ lost: 1 });
  });

  test('a paid order that is no longer paid', () => {
    const sale = goodSale().sold(0);
    Object.assign(orderRow(sale, 'a'), { state: 'cancelled', reference: null });
    expect(counts(sale, REDIS_LOSES)).toMatchObject({ lost: 2 });
  });

  test('a cancelled order that is pending', () => {
    const sale = goodSale();
    sale.held('d', 1_100, 'ordered').ordered('d', 1_150, 'expired');
    sale.told({ kind: 'cancel', order_id: order('d') }, 1_300, 200, { status: 'cancelled' });
    expect(counts(sale)).toEqual({ lost: 1 });
  });

  test('a release that was forgotten, and one that Redis lost', () => {
    const sale = goodSale();
    Object.assign(holdRow(sale, 'b'), {
      state: 'expired',
      endedAtMs: holdRow(sale, 'b').expiresAtMs,
    });
    expect(counts(sale)).toEqual({ lost: 1 });
    expect(counts(sale, REDIS_LOSES)).toEqual({ declared: 1 });
  });

  test('a restock that was acknowledged', () => {
    const sale = goodSale();
    sale.told({ kind: 'restock', product_id: PRODUCT, delta: 2, key: 'two' }, 400, 200);
    expect(counts(sale)).toEqual({ lost: 1 });
  });
});

describe('I5: one outcome for each key and reference', () => {
  test('two holds under one key, by the answers and by the rows', () => {
    const sale = goodSale().held('d', 1_100, 'expired', 'key-a');
    expect(counts(sale)).toEqual({ duplicated: 1 });
    // The first one lives on as an order: no loss of Redis excuses that.
    expect(counts(sale, REDIS_LOSES)).toEqual({ duplicated: 1 });
  });

  test('a key that Redis forgot after its hold had ended', () => {
    const sale = goodSale().held('d', 1_100, 'expired', 'k').held('e', 2_200, 'expired', 'k');
    expect(counts(sale)).toEqual({ duplicated: 1 });
    expect(counts(sale, REDIS_LOSES)).toEqual({ declared: 1 });
  });

  test('two orders told under one key', () => {
    const sale = goodSale();
    sale.held('d', 1_100, 'ordered').ordered('d', 1_150).held('e', 1_100, 'ordered');
    sale.ordered('e', 1_150);
    for (const it of sale.history.of('order').slice(-2)) it.request.key = 'same';
    expect(counts(sale)).toEqual({ duplicated: 1 });
  });

  test('one reference told with two outcomes', () => {
    const sale = goodSale();
    sale.payTold('a', 400, 'pay-a', { status: 'duplicate', outcome: 'refund_due' });
    expect(counts(sale)).toMatchObject({ duplicated: 1 });
  });

  test('an order paid twice', () => {
    const sale = goodSale().paid('a', 300, 'pay-again');
    expect(counts(sale)).toEqual({ duplicated: 1 });
  });
});

describe('I6: a success payment never ends as nothing', () => {
  test.for([null, 'ignored'])('outcome %s', (outcome) => {
    const sale = goodSale();
    const receipt = { orderId: order('a'), status: 'success', outcome };
    sale.state.receipts.set('pay-lost', receipt);
    const event = { kind: 'pay', order_id: order('a'), reference: 'pay-lost' } as const;
    sale.told({ ...event, status: 'success' }, 500, 503);
    expect(counts(sale)).toEqual({ lost: 1 });
  });
});
