import { isDeepStrictEqual } from 'node:util';
import { hold } from './hold-rules.ts';
import type { Ledger, Reservation } from './ledger.ts';
import { type Answer, type Expected, type Request, refused, type Told, worth } from './requests.ts';

// What each request must be answered, in the order of precedence that the contract gives.

function release(ledger: Ledger, id: string): Expected {
  const reservation = ledger.reservations.get(id);
  if (!reservation) return refused('hold_not_found');
  if (reservation.ordered) return refused('hold_used', { orderId: `order_${id}` });
  if (reservation.state === 'expired') return refused('hold_expired');
  if (reservation.state === 'held') ledger.step(reservation, 'released');
  const { heldUntilMs: expiresAtMs } = reservation;
  return { answer: { status: 'released', expiresAtMs, ...worth(reservation) } };
}

function extend(ledger: Ledger, id: string): Expected {
  const reservation = ledger.reservations.get(id);
  if (!reservation) return refused('hold_not_found');
  if (reservation.ordered) return refused('hold_used', { orderId: `order_${id}` });
  if (reservation.state !== 'held') return refused(`hold_${reservation.state}`);
  if (!reservation.extended) {
    const { lines } = reservation;
    const extendMs = Math.min(...lines.map((line) => ledger.article(line.productId).extendMs));
    if (extendMs === 0) return refused('extension_not_allowed');
    ledger.step(reservation, 'held');
    reservation.heldUntilMs += extendMs;
    reservation.extended = true;
  }
  const { heldUntilMs: expiresAtMs } = reservation;
  return { answer: { status: 'extended', expiresAtMs, ...worth(reservation) } };
}

function order(ledger: Ledger, { id, key }: Request & { do: 'order' }, lane: number): Expected {
  const reservation = ledger.reservations.get(id);
  const scoped = `${lane} ${key}`;
  const first = key === '' ? undefined : ledger.ordersByKey.get(scoped);
  if (first !== undefined && first !== id) return refused('idempotency_mismatch');
  if (first !== undefined && reservation) {
    const again = { payByMs: reservation.payByMs };
    return { answer: { status: 'ordered', again, ...worth(reservation) } };
  }
  if (!reservation) return refused('hold_not_found');
  if (reservation.ordered) return refused('hold_used', { orderId: `order_${id}` });
  if (reservation.state !== 'held') return refused(`hold_${reservation.state}`);
  ledger.step(reservation, 'pending');
  reservation.payByMs = Number.POSITIVE_INFINITY;
  const accept = ({ deadlineMs }: Told) => {
    reservation.payByMs = deadlineMs;
    if (key !== '') ledger.ordersByKey.set(scoped, id);
  };
  return { answer: { status: 'ordered', again: null, ...worth(reservation) }, accept };
}

function cancel(ledger: Ledger, id: string): Expected {
  const reservation = ledger.reservations.get(id);
  if (!reservation?.ordered) return refused('order_not_found');
  if (reservation.state === 'expired') return refused('order_expired');
  if (reservation.state === 'pending') ledger.step(reservation, 'cancelled');
  if (reservation.state !== 'cancelled') return refused('order_paid');
  return { answer: { status: 'cancelled', state: 'cancelled', ...worth(reservation) } };
}

// The table of section 6: what a payment does to an order, and what becomes of its receipt.
function settle(ledger: Ledger, reservation: Reservation, payment: string, reference: string) {
  const end = (to: 'paid' | 'cancelled' | 'refund_due') => {
    ledger.step(reservation, to);
    reservation.reference = reference;
  };
  const { state, lines } = reservation;
  if (payment === 'failed') {
    if (state !== 'pending') return 'ignored';
    end('cancelled');
    return 'applied';
  }
  if (state === 'paid' || state === 'refund_due') return 'refund_due';
  if (state === 'pending' || ledger.hasUnits(lines)) {
    end('paid');
    return 'applied';
  }
  end('refund_due');
  return 'refund_due';
}

function pay(ledger: Ledger, { id, reference, payment }: Request & { do: 'pay' }): Expected {
  const receipt = ledger.receipts.get(reference) ?? {
    id,
    payment,
    outcome: null,
    orderState: null,
  };
  if (receipt.id !== id || receipt.payment !== payment) return refused('reference_conflict');
  ledger.receipts.set(reference, receipt);
  const { outcome, orderState } = receipt;
  if (outcome) return refused('duplicate', { outcome, orderState });
  const reservation = ledger.reservations.get(id);
  if (!reservation?.ordered) return refused('order_not_found');
  // In the order in which they came: what came before the order acts first.
  for (const [name, open] of ledger.receipts) {
    if (open.id !== id || open.outcome !== null) continue;
    open.outcome = settle(ledger, reservation, open.payment, name);
    open.orderState = reservation.state;
    if (name === reference) break;
  }
  return refused(receipt.outcome ?? 'open', { orderState: receipt.orderState });
}

function adjust(ledger: Ledger, { productId, delta, key }: Request & { do: 'adjust' }): Expected {
  const article = ledger.articles.get(productId);
  if (!article) return refused('product_not_found');
  const scoped = `${productId} ${key}`;
  const first = ledger.adjustments.get(scoped);
  if (first !== undefined && first !== delta) return refused('adjustment_mismatch');
  if (first !== undefined) return refused('adjusted', { total: article.total });
  const { available } = article;
  if (available + delta < 0) return refused('insufficient_available', { available });
  article.total += delta;
  article.available += delta;
  ledger.adjustments.set(scoped, delta);
  return refused('adjusted', { total: article.total });
}

function readHold(ledger: Ledger, id: string): Expected {
  const reservation = ledger.reservations.get(id);
  if (!reservation) return refused('none');
  const state = reservation.ordered ? 'ordered' : reservation.state;
  return refused(state, { expiresAtMs: reservation.heldUntilMs, ...worth(reservation) });
}

function readOrder(ledger: Ledger, id: string): Expected {
  const reservation = ledger.reservations.get(id);
  if (!reservation?.ordered) return refused('none');
  const { payByMs, reference, state } = reservation;
  return refused(state, { payByMs, reference, ...worth(reservation) });
}

function change(ledger: Ledger, { productId, change: to }: Request & { do: 'change' }): Expected {
  const article = ledger.articles.get(productId);
  if (!article) return refused('none');
  Object.assign(article, to);
  return refused('changed');
}

/** Does the request in the books. `lane` is where an unknown id would be looked for. */
export function apply(ledger: Ledger, request: Request, lane: number): Expected {
  switch (request.do) {
    case 'hold':
      return hold(ledger, request);
    case 'release':
      return release(ledger, request.id);
    case 'extend':
      return extend(ledger, request.id);
    case 'order':
      return order(ledger, request, lane);
    case 'cancel':
      return cancel(ledger, request.id);
    case 'pay':
      return pay(ledger, request);
    case 'adjust':
      return adjust(ledger, request);
    case 'read_hold':
      return readHold(ledger, request.id);
    case 'read_order':
      return readOrder(ledger, request.id);
    case 'change':
      return change(ledger, request);
  }
}

/**
 * The books after a request, given its answer. Deadlines that lie between the moments before and
 * after it may have come first or not: each way to see it is tried, and one of them must fit.
 */
export function booksAfter(
  ledger: Ledger,
  request: Request,
  lane: number,
  answer: Answer,
  told: Told | undefined,
  afterMs: number,
): { ledger: Ledger } | { expected: Answer[] } {
  const expected: Answer[] = [];
  let fits: Ledger | undefined;
  for (const moment of [Number.NEGATIVE_INFINITY, ...ledger.deadlinesUntil(afterMs)]) {
    const after = ledger.copy();
    after.runOut(moment);
    const due = apply(after, request, lane);
    expected.push(due.answer);
    if (!isDeepStrictEqual(due.answer, answer)) continue;
    if (told) due.accept?.(told);
    const reservation = fits && 'id' in request && fits.reservations.get(request.id);
    if (reservation) reservation.maybeLate = true;
    fits ??= after;
  }
  return fits ? { ledger: fits } : { expected };
}
