import { type Database, query } from '../db/client.ts';
import {
  decideReceipt,
  listOpenOf,
  OPEN_MAX,
  type Receipt,
  readReceipt,
  storeReceipt,
} from '../db/receipts.ts';
import type { Deadline } from '../domain/deadline.ts';
import { parseOrderId } from '../domain/ids.ts';
import type { PaymentEvent, PaymentOutcome, ReceiptOutcome } from '../domain/outcomes.ts';
import type { Engine } from '../engine/engine.ts';
import type { Logger } from '../log.ts';
import { findTarget, type RefundTarget } from './refund-target.ts';

/** Takes payment events in. */
export interface Inbox {
  /**
   * Resolves once the event's outcome is committed. Its receipt is committed before anything acts
   * on it, so that an event that is not answered is found again by the provider's retry or by the
   * sweeper. Events of one order act in the order in which they were received: one of them can let
   * another act, which then answers `duplicate` with that outcome, too.
   */
  receive: (event: PaymentEvent, deadline: Deadline) => Promise<PaymentOutcome>;
  /** Lets an open receipt act on its order, if that is there by now, after those before it. */
  settleOpen: (event: PaymentEvent, deadline: Deadline) => Promise<PaymentOutcome>;
}

// What a receipt does not know is no difference: it may have been made again from the journal.
function isSameEvent(receipt: Receipt, { money, ...event }: PaymentEvent): boolean {
  const { payment, money: known } = receipt;
  return (
    receipt.orderId === event.orderId &&
    receipt.status === event.status &&
    (receipt.returnsUnits ?? false) === (event.returnsUnits ?? false) &&
    (payment === undefined || payment === event.payment) &&
    (known === undefined ||
      (known.amountMinor === money?.amountMinor && known.currency === money.currency))
  );
}

/** Lets events act on their orders, each at most once. */
class Settlement {
  readonly #engine: Engine;
  readonly #database: Database;

  constructor(engine: Engine, database: Database) {
    this.#engine = engine;
    this.#database = database;
  }

  /** One event, whatever came before it. */
  async settle(event: PaymentEvent, deadline: Deadline, isRepeat = true): Promise<PaymentOutcome> {
    const { reference, status: payment, money, returnsUnits } = event;
    const isRefund = payment === 'refunded';
    const target = isRefund ? await this.#targetOf(event, deadline) : undefined;
    if (target?.kind === 'unknown') return { status: 'order_not_paid' };
    if (target?.kind === 'amount_mismatch' || target?.kind === 'ignored') {
      return this.#decide(event, target.kind, deadline);
    }
    const due = target?.kind === 'due' ? target.reference : undefined;
    const id = parseOrderId(event.orderId);
    const settled =
      id &&
      (await this.#engine.settle(
        { id, reference, payment, money, due, returnsUnits, isRepeat },
        deadline,
      ));
    if (!settled || settled.status === 'order_not_found') {
      // Money for an order that never was has gone back.
      return due ? this.#decide(event, 'applied', deadline) : { status: 'order_not_found' };
    }
    if (settled.status === 'not_paid') return { status: 'order_not_paid' };
    const { outcome, orderState, first } = settled;
    return first ? { status: outcome, orderState } : { status: 'duplicate', outcome, orderState };
  }

  #targetOf(event: PaymentEvent, deadline: Deadline): Promise<RefundTarget> {
    return query(deadline, 'payments', findTarget(this.#database, event));
  }

  // What does not concern its order is decided in MySQL alone.
  async #decide(
    { reference }: PaymentEvent,
    outcome: ReceiptOutcome,
    deadline: Deadline,
  ): Promise<PaymentOutcome> {
    await query(deadline, 'receipt', decideReceipt(this.#database, reference, outcome));
    return { status: outcome, orderState: null };
  }
}

export function createInbox(engine: Engine, database: Database, log: Logger): Inbox {
  const settlement = new Settlement(engine, database);

  // Refunds that came before the payment they give back; the sweeper has them, too.
  const settleWaiting = async (refunds: readonly Receipt[], deadline: Deadline): Promise<void> => {
    for (const refund of refunds) {
      await settlement.settle(refund, deadline).catch((error) => {
        log.debug({ err: error, reference: refund.reference }, 'a refund is left to the sweeper');
      });
    }
  };

  const settleOpen = async (
    event: PaymentEvent,
    deadline: Deadline,
    isRepeat = true,
  ): Promise<PaymentOutcome> => {
    const listing = listOpenOf(database, event.orderId, OPEN_MAX);
    const open = await query(deadline, 'open receipts', listing);
    const own = open.findIndex(({ reference }) => reference === event.reference);
    // Only those that waited when their turn came: what has acted must not act again.
    const waiting: Receipt[] = [];
    for (const before of open.slice(0, Math.max(0, own))) {
      const { status } = await settlement.settle(before, deadline);
      if (before.status === 'success') await settleWaiting(waiting.splice(0), deadline);
      if (before.status === 'refunded' && status === 'order_not_paid') waiting.push(before);
    }
    const outcome = await settlement.settle(event, deadline, isRepeat);
    if (event.status === 'success') await settleWaiting(waiting, deadline);
    return outcome;
  };

  const receive = async (event: PaymentEvent, deadline: Deadline): Promise<PaymentOutcome> => {
    const stored = await query(deadline, 'receipt', storeReceipt(database, event));
    if (stored === 'same_payment') return { status: 'ignored', orderState: null };
    if (stored === 'known') {
      const known = await query(deadline, 'receipt', readReceipt(database, event.reference));
      if (known && !isSameEvent(known, event)) {
        log.warn({ event, receipt: known }, 'one payment reference for two events');
        return { status: 'reference_conflict' };
      }
      if (known?.outcome) {
        return { status: 'duplicate', outcome: known.outcome, orderState: known.orderState };
      }
    }
    return settleOpen(event, deadline, stored === 'known');
  };

  return { receive, settleOpen: (event, deadline) => settleOpen(event, deadline) };
}
