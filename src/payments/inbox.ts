import { type Database, query } from '../db/client.ts';
import { insertReceipt, type Receipt } from '../db/receipts.ts';
import type { Deadline } from '../domain/deadline.ts';
import { parseOrderId } from '../domain/ids.ts';
import type { PaymentEvent, PaymentOutcome } from '../domain/outcomes.ts';
import type { Engine } from '../engine/engine.ts';
import type { Logger } from '../log.ts';

/** Takes payment events in. */
export interface Inbox {
  /**
   * Resolves once the event's outcome is committed. Its receipt is committed before anything acts
   * on it, so that an event that is not answered is found again by the provider's retry or by the
   * sweeper.
   */
  receive: (event: PaymentEvent, deadline: Deadline) => Promise<PaymentOutcome>;
  /** Lets an open receipt act on its order, if that is there by now. */
  settleOpen: (event: PaymentEvent, deadline: Deadline) => Promise<PaymentOutcome>;
}

const isSameEvent = (receipt: Receipt, event: PaymentEvent): boolean =>
  receipt.orderId === event.orderId && receipt.status === event.status;

export function createInbox(engine: Engine, database: Database, log: Logger): Inbox {
  const settleOpen = async (event: PaymentEvent, deadline: Deadline): Promise<PaymentOutcome> => {
    const id = parseOrderId(event.orderId);
    if (id === undefined) return { status: 'order_not_found' };
    const { reference, status: payment } = event;
    const settled = await engine.settle({ id, reference, payment }, deadline);
    if (settled.status === 'order_not_found') return settled;
    const { outcome, orderState, first } = settled;
    return first ? { status: outcome, orderState } : { status: 'duplicate', outcome, orderState };
  };

  const receive = async (event: PaymentEvent, deadline: Deadline): Promise<PaymentOutcome> => {
    const inserting = insertReceipt(database, event, new Date());
    const known = await query(deadline, 'receipt', inserting);
    if (known && !isSameEvent(known, event)) {
      log.warn({ event, receipt: known }, 'one payment reference for two events');
      return { status: 'reference_conflict' };
    }
    if (known?.outcome) {
      return { status: 'duplicate', outcome: known.outcome, orderState: known.orderState };
    }
    return settleOpen(event, deadline);
  };

  return { receive, settleOpen };
}
