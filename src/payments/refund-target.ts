import type { Database } from '../db/client.ts';
import { claimRefund, listPaymentsOf, type Refundable } from '../db/refunds.ts';
import type { PaymentEvent } from '../domain/outcomes.ts';

/** What a refund gives back. */
export type RefundTarget =
  /** A payment for which there was nothing to sell; the reference of its event. */
  | { kind: 'due'; reference: string }
  /** A payment that was due back: of another amount, or it went back before. */
  | { kind: 'amount_mismatch' | 'ignored' }
  /** What the order was paid by. */
  | { kind: 'order' }
  /** A payment that nobody has told of yet, or that has not acted yet. */
  | { kind: 'unknown' };

const isOtherMoney = ({ money: paid }: Refundable, { money }: PaymentEvent): boolean =>
  paid !== undefined &&
  money !== undefined &&
  (paid.amountMinor !== money.amountMinor || paid.currency !== money.currency);

// The payment that a refund names, by the provider's id or by the reference of an event of it.
function namedBy({ payment: name }: PaymentEvent, payments: readonly Refundable[]): Refundable[] {
  const event = payments.find(({ reference }) => reference === name);
  const id = event?.payment ?? name;
  return payments.filter((each) => each.payment === id || each === event);
}

/**
 * Finds what a refund gives back, and notes it there, so that a repeat finds the same. A refund that
 * names no payment gives back what was due first, the oldest first, and after that what the order
 * was paid by.
 */
export async function findTarget(database: Database, refund: PaymentEvent): Promise<RefundTarget> {
  const payments = await listPaymentsOf(database, refund.orderId);
  const claimed = payments.find(({ refundedBy }) => refundedBy === refund.reference);
  if (claimed) return { kind: 'due', reference: claimed.reference };
  const named = refund.payment === undefined ? [] : namedBy(refund, payments);
  if (refund.payment !== undefined && named.length === 0) {
    // A shop whose payments have no ids cannot be asked which one it was.
    const areNamed = payments.every(({ payment }) => payment !== undefined);
    if (areNamed) return { kind: 'unknown' };
  }
  const candidates = named.length > 0 ? named : payments;
  const due = candidates.filter(({ isDue }) => isDue);
  const left = due.filter(({ refundedBy }) => refundedBy === null);
  const fitting = left.find((each) => !isOtherMoney(each, refund));
  if (!fitting) {
    if (named.length === 0 || named.some(({ outcome }) => outcome === 'applied')) {
      return { kind: 'order' };
    }
    // Nobody knows yet what becomes of a payment that has not been decided.
    if (due.length === 0) return { kind: 'unknown' };
    return { kind: left.length > 0 ? 'amount_mismatch' : 'ignored' };
  }
  const isMine = await claimRefund(database, fitting.reference, refund.reference);
  // Another refund came first: look again at what is left.
  return isMine ? { kind: 'due', reference: fitting.reference } : findTarget(database, refund);
}
