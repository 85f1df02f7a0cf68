import { expect } from 'vitest';
import { holdId, orderId } from '../../../src/domain/ids.ts';
import type { TestEngine } from '../../support/engine.ts';
import type { Ledger, Reservation } from './ledger.ts';

function holdRowOf({ ordered, state, buyer, amountMinor, key, ...hold }: Reservation) {
  const isHeld = !ordered && state === 'held';
  return {
    state: ordered ? 'ordered' : state,
    // A hold takes one step, one more where it is extended, and ends with the next; further ones are
    // the order's.
    version: (isHeld ? 1 : 2) + (hold.extended ? 1 : 0),
    buyer,
    amount_minor: amountMinor,
    idempotency_key: key,
    expires_at: new Date(hold.heldUntilMs),
  };
}

function orderRowOf(reservation: Reservation, found: number | undefined) {
  const { state, buyer, amountMinor, reference, maybeLate } = reservation;
  const isLate = maybeLate && found === reservation.version + 1;
  const version = isLate ? found : reservation.version;
  return { state, version, buyer, amount_minor: amountMinor, reference };
}

/** Fails unless the rows in MySQL, all of them, say what the books say. */
export async function expectRows({ sql }: TestEngine, ledger: Ledger, prefix: string) {
  const productIds = [...ledger.articles.keys()];
  const reservations = [...ledger.reservations.values()];
  const ordered = reservations.filter((it) => it.ordered);
  const holds = await sql(
    `SELECT id, state, version, buyer, amount_minor, idempotency_key, expires_at FROM holds
      WHERE id IN (SELECT hold_id FROM hold_items WHERE product_id IN (?))`,
    [productIds],
  );
  const holdRows = reservations.map((it) => ({ id: holdId(it.id), ...holdRowOf(it) }));
  expect(byId(holds)).toEqual(byId(holdRows));
  const orders = await sql(
    `SELECT id, state, version, buyer, amount_minor, reference FROM orders
      WHERE hold_id IN (SELECT hold_id FROM hold_items WHERE product_id IN (?))`,
    [productIds],
  );
  const versions = new Map(orders.map(({ id, version }) => [String(id), Number(version)]));
  const orderRows = ordered.map((it) => {
    const id = orderId(it.id);
    return { id, ...orderRowOf(it, versions.get(id)) };
  });
  expect(byId(orders)).toEqual(byId(orderRows));
  const receipts = await sql(
    `SELECT reference AS id, order_id, status, outcome, order_state FROM payment_events
      WHERE reference LIKE ?`,
    [`${prefix}-pay-%`],
  );
  const receiptRows = [...ledger.receipts].map(([id, it]) => ({
    id,
    order_id: orderId(it.id),
    status: it.payment,
    outcome: it.outcome,
    order_state: it.orderState,
  }));
  expect(byId(receipts)).toEqual(byId(receiptRows));
  await expectStock({ sql }, ledger);
}

async function expectStock({ sql }: Pick<TestEngine, 'sql'>, ledger: Ledger): Promise<void> {
  const productIds = [...ledger.articles.keys()];
  const stock = await sql(
    `SELECT product_id AS id, total, available, held, pending, sold FROM stock
      WHERE product_id IN (?)`,
    [productIds],
  );
  const stockRows = [...ledger.articles.values()].map(
    ({ id, total, available, held, pending, sold }) => {
      return { id, total, available, held, pending, sold };
    },
  );
  expect(byId(stock)).toEqual(byId(stockRows));
  const adjustments = await sql(
    `SELECT CONCAT(product_id, ' ', \`key\`) AS id, delta, epoch IS NOT NULL AS applied
      FROM stock_adjustments WHERE product_id IN (?)`,
    [productIds],
  );
  const adjustmentRows = [...ledger.adjustments].map(([id, delta]) => ({ id, delta, applied: 1 }));
  expect(byId(adjustments)).toEqual(byId(adjustmentRows));
}

const byId = (rows: readonly object[]) =>
  new Map((rows as { id: string | number }[]).map((row) => [row.id, { ...row }]));
