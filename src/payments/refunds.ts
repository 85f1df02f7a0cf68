import { createHash } from 'node:crypto';
import { type Database, query } from '../db/client.ts';
import {
  countRefundsDue,
  listPaymentsOf,
  listRefundsDue,
  type RefundDue,
  type RefundPlace,
} from '../db/refunds.ts';
import type { Deadline } from '../domain/deadline.ts';
import { orderId, parseOrderId, type ReservationId } from '../domain/ids.ts';
import type { Order, PaymentEvent } from '../domain/outcomes.ts';
import { Unavailable } from '../domain/unavailable.ts';
import type { Engine } from '../engine/engine.ts';
import type { Inbox } from './inbox.ts';

/** The work list of money that must go back, for the shop's own people. */
export interface Refunds {
  /** The oldest first, after a place in the list; and how many there are in all. */
  list: (
    after: RefundPlace | undefined,
    limit: number,
    deadline: Deadline,
  ) => Promise<{ refunds: RefundDue[]; open: number }>;
  /**
   * Notes that the money due on an order has gone back: of the payment events named, or of all. An
   * order that waited for that is refunded. `references` in the answer are those that were still
   * due: a repeat finds none. Where one of the named never was due, nothing is noted.
   */
  done: (
    order: string,
    named: readonly string[] | undefined,
    deadline: Deadline,
  ) => Promise<
    | { status: 'done'; references: string[] }
    | { status: 'order_not_found' }
    | { status: 'no_refund_due' }
  >;
  /** Notes that a paid order was refunded, and gives its units back where that is asked for. */
  refundOrder: (
    id: ReservationId,
    returnsUnits: boolean,
    deadline: Deadline,
  ) => Promise<
    | { status: 'refunded'; order: Order }
    | { status: 'order_not_found' }
    | { status: 'order_not_paid' }
  >;
}

// One name for each thing that can be said, so that saying it again changes nothing.
function opsReference(what: string, name: string): string {
  const digest = createHash('sha256').update(name).digest('base64url').slice(0, 22);
  return `ops-${what}:${digest}`;
}

/** What people say of refunds goes through the inbox, like what payment providers say. */
export function createRefunds(engine: Engine, inbox: Inbox, database: Database): Refunds {
  const say = async (event: PaymentEvent, deadline: Deadline): Promise<void> => {
    const outcome = await inbox.receive(event, deadline);
    const isSaid = outcome.status === 'applied' || outcome.status === 'duplicate';
    if (!isSaid) throw new Unavailable(`the refund is ${outcome.status}: look at the order again`);
  };

  return {
    list: async (after, limit, deadline) => {
      const listing = listRefundsDue(database, after, limit);
      const refunds = await query(deadline, 'refunds', listing);
      return { refunds, open: await query(deadline, 'refunds', countRefundsDue(database)) };
    },

    done: async (order, named, deadline) => {
      const payments = await query(deadline, 'payments', listPaymentsOf(database, order));
      const known = payments.filter(({ isDue }) => isDue);
      const due = named ? known.filter(({ reference }) => named.includes(reference)) : known;
      if (due.length === 0 || (named && due.length < new Set(named).size)) {
        const id = parseOrderId(order);
        const isKnown = id && (await engine.readOrder(id, deadline));
        return { status: isKnown ? 'no_refund_due' : 'order_not_found' };
      }
      const references = due.flatMap((each) => (each.refundedBy === null ? [each.reference] : []));
      for (const payment of references) {
        const reference = opsReference('refunded', payment);
        await say({ orderId: order, reference, status: 'refunded', payment }, deadline);
      }
      return { status: 'done', references };
    },

    refundOrder: async (id, returnsUnits, deadline) => {
      const order = await engine.readOrder(id, deadline);
      if (!order) return { status: 'order_not_found' };
      const isPaid = order.state === 'paid' || (order.state === 'refunded' && returnsUnits);
      const isRefunded = order.state === 'refunded' || order.state === 'returned';
      if (!isPaid && !isRefunded) return { status: 'order_not_paid' };
      if (!isPaid) return { status: 'refunded', order };
      const reference = opsReference(returnsUnits ? 'returned' : 'refunded', orderId(id));
      const payment = order.reference ?? undefined;
      const event = { orderId: orderId(id), reference, payment, returnsUnits };
      await say({ ...event, status: 'refunded' }, deadline);
      return { status: 'refunded', order: (await engine.readOrder(id, deadline)) ?? order };
    },
  };
}
