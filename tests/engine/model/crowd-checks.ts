import { expect } from 'vitest';
import type { TestEngine } from '../../support/engine.ts';
import { BUYER_MAX, type Crowd } from './crowd.ts';
import type { Request } from './requests.ts';

const answersTo = <K extends Request['do']>({ exchanges }: Crowd, what: K) =>
  exchanges.flatMap(({ request, ...asked }) =>
    request.do === what ? [{ ...asked, request: request as Extract<Request, { do: K }> }] : [],
  );

// The same key made one hold, and every request with its content was told of that one.
async function expectOneHoldAKey({ sql }: TestEngine, crowd: Crowd): Promise<void> {
  const idsByKey = new Map<string, Set<string>>();
  for (const { request, told } of answersTo(crowd, 'hold')) {
    if (request.key === '' || !told) continue;
    idsByKey.set(request.key, (idsByKey.get(request.key) ?? new Set()).add(`hold_${told.id}`));
  }
  const rows = await sql(
    'SELECT idempotency_key AS k, id FROM holds WHERE idempotency_key LIKE ?',
    [`${crowd.prefix}-key-%`],
  );
  const found = new Map<string, Set<string>>();
  for (const { k, id } of rows) found.set(k, (found.get(k) ?? new Set()).add(id));
  for (const [key, ids] of found) expect([...ids], `holds under ${key}`).toHaveLength(1);
  for (const [key, ids] of idsByKey) expect(found.get(key), `told under ${key}`).toEqual(ids);
}

// Every answer that told of an end or a beginning is true of the row.
async function expectAnswersHold(
  { sql }: TestEngine,
  crowd: Crowd,
  areAllAnswered: boolean,
): Promise<void> {
  const rows = await sql(
    `SELECT h.id, h.state, o.state AS order_state, o.reference FROM holds h
      LEFT JOIN orders o ON o.hold_id = h.id
      WHERE h.id IN (SELECT hold_id FROM hold_items WHERE product_id IN (?))`,
    [crowd.productIds],
  );
  const rowById = new Map(rows.map((row) => [String(row.id).slice('hold_'.length), row]));
  const granted = answersTo(crowd, 'hold').flatMap(({ told }) => (told ? [told.id] : []));
  for (const id of granted) expect(rowById.get(id), `${id} was told`).toBeDefined();
  if (areAllAnswered)
    expect(rowById.size, 'none that nobody was told of').toBe(new Set(granted).size);
  for (const { request, answer } of crowd.exchanges) {
    const row = 'id' in request ? rowById.get(request.id) : undefined;
    const said = `${request.do} was answered ${JSON.stringify(answer)}`;
    if (request.do === 'order' && answer.status === 'ordered')
      expect(row?.state, said).toBe('ordered');
    if (answer.status === 'hold_used') expect(row?.state, said).toBe('ordered');
    if (answer.status === 'released') expect(row?.state, said).toBe('released');
    if (answer.status === 'hold_released') expect(row?.state, said).toBe('released');
    if (answer.status === 'hold_expired') expect(row?.state, said).toBe('expired');
    if (answer.status === 'hold_not_found') expect(row, said).toBeUndefined();
    if (answer.status === 'order_paid') expect(row?.order_state, said).toMatch(/paid|refund_due/);
  }
  const orders = answersTo(crowd, 'order').filter(({ answer }) => answer.status === 'ordered');
  for (const { request } of orders.filter(({ request }) => request.key === '')) {
    const same = orders.filter((it) => it.request.id === request.id && it.request.key === '');
    expect(same, `without a key, ${request.id} is ordered once`).toHaveLength(1);
  }
}

// A reference has one outcome, told as the first once; an order is paid by one of them at most.
async function expectOneOutcomeAReference({ sql }: TestEngine, crowd: Crowd): Promise<void> {
  const rows = await sql(
    'SELECT reference, order_id, outcome, order_state FROM payment_events WHERE reference LIKE ?',
    [`${crowd.prefix}-pay-%`],
  );
  const receipts = new Map(rows.map((row) => [String(row.reference), row]));
  const appliedFirst = new Map<string, number>();
  for (const { request, answer } of answersTo(crowd, 'pay')) {
    const { reference } = request;
    const row = receipts.get(reference);
    const said = `${reference} was answered ${JSON.stringify(answer)}`;
    if (answer.status === 'duplicate') expect(row?.outcome, said).toBe(answer.outcome);
    if (['applied', 'ignored', 'refund_due'].includes(answer.status)) {
      expect(row?.outcome, said).toBe(answer.status);
    }
    if (answer.status !== 'applied') continue;
    appliedFirst.set(reference, (appliedFirst.get(reference) ?? 0) + 1);
  }
  expect([...appliedFirst.values()].every((times) => times === 1)).toBe(true);
  const orders = await sql(
    `SELECT o.id, o.state, o.reference FROM orders o JOIN hold_items i ON i.hold_id = o.hold_id
      WHERE i.product_id IN (?) GROUP BY o.id`,
    [crowd.productIds],
  );
  for (const { id, state, reference } of orders) {
    const paidBy = rows.filter(
      (row) => row.order_id === id && row.outcome === 'applied' && row.order_state === 'paid',
    );
    const references = paidBy.map((row) => row.reference);
    expect(references, `what paid ${id}`).toEqual(state === 'paid' ? [reference] : []);
  }
}

// Late payments count, but are not refused; nobody else comes above the limit with them.
async function expectBuyersWithinLimit({ sql }: TestEngine, crowd: Crowd): Promise<void> {
  const rows = await sql(
    `SELECT h.buyer, SUM(i.qty) AS units FROM holds h JOIN hold_items i ON i.hold_id = h.id
      LEFT JOIN orders o ON o.hold_id = h.id
      WHERE i.product_id = ? AND (h.state = 'held' OR o.state = 'pending'
        OR (o.state = 'paid' AND o.version = 3))
      GROUP BY h.buyer`,
    [crowd.productIds[1]],
  );
  for (const { buyer, units } of rows) {
    expect(Number(units), `units of ${buyer}`).toBeLessThanOrEqual(BUYER_MAX);
  }
}

/**
 * Fails where two answers contradict each other, or an answer contradicts the rows. Where some were
 * never answered, there may be holds that nobody was told of.
 */
export async function expectNoContradiction(
  t: TestEngine,
  crowd: Crowd,
  areAllAnswered = true,
): Promise<void> {
  await expectOneHoldAKey(t, crowd);
  await expectAnswersHold(t, crowd, areAllAnswered);
  await expectOneOutcomeAReference(t, crowd);
  await expectBuyersWithinLimit(t, crowd);
}
