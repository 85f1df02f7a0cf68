import { z } from '@hono/zod-openapi';
import type { History, HistoryStep } from '../db/history.ts';
import { holdId, orderId } from '../domain/ids.ts';
import { formatMoney } from '../domain/money.ts';
import {
  amountAnswer,
  countAnswer,
  currencyAnswer,
  isoTime,
  momentAnswer,
  productIdAnswer,
  qtyAnswer,
  textAnswer,
} from './fields.ts';
import {
  holdIdAnswer,
  holdStatusAnswer,
  orderIdAnswer,
  orderStatus,
  orderStatusAnswer,
} from './reservation-answer.ts';

const moment = (description: string) => momentAnswer(description).nullable();
const reference = (description: string) => textAnswer(description, 'pay-1');
const version = (description: string) => countAnswer(description, 1);
const position = textAnswer("Of the journal's entry: `<epoch>-<sequence>`", '1-4711');

// What holds and orders have alike.
const common = {
  version: version('Number of its latest transition, from 1'),
  lane: countAnswer('Number of the partition it is in'),
  buyer: textAnswer('Who holds; null where nobody was named', 'ada').nullable(),
  amount: amountAnswer('Price of all units'),
  currency: currencyAnswer,
  created_at: moment('When it was made'),
};

const hold = z.object({
  hold_id: holdIdAnswer,
  status: holdStatusAnswer,
  ...common,
  expires_at: moment('When its units go back'),
  ended_at: moment('When it was no longer held'),
});

const order = z.object({
  order_id: orderIdAnswer,
  status: orderStatusAnswer,
  ...common,
  reference: reference('Of the payment event that settled it').nullable(),
  pay_by: moment('When its units go back unless it is paid'),
  settled_at: moment('When a payment event settled it'),
});

const item = z.object({
  product_id: productIdAnswer,
  name: textAnswer('Null where the product has no row', 'Aurora desk lamp').nullable(),
  qty: qtyAnswer,
  price: amountAnswer('Price of one unit when the hold was made', '129.00'),
});

const step = z.object({
  version: version('Number of the transition, from 1'),
  from: textAnswer('What it was; `none` before the hold', 'pending'),
  to: textAnswer('What it became', 'paid'),
  at: momentAnswer('When'),
  position: position.nullable().openapi({
    description: "Of the journal's entry: `<epoch>-<sequence>`; null where a rebuild decided",
  }),
  cause: textAnswer('Why, for people', 'payment pay-1'),
  reference: reference('Of the payment event that caused it').nullable(),
});

const payment = z.object({
  reference: reference("The provider's id of the event"),
  order_id: orderIdAnswer.openapi({ description: 'The order, as the provider names it' }),
  status: z
    .enum(['success', 'failed', 'refunded'])
    .openapi({ description: 'What the provider reports' }),
  payment: textAnswer(
    "The provider's id of the payment; null where it told none",
    'pay_1',
  ).nullable(),
  amount: amountAnswer('What was paid or refunded; null where it was not told').nullable(),
  currency: currencyAnswer.nullable(),
  received_at: momentAnswer('When it came'),
  outcome: z
    .enum(['applied', 'ignored', 'refund_due', 'amount_mismatch'])
    .nullable()
    .openapi({ description: 'What became of the event; null while it is open' }),
  order_status: textAnswer('What the order was then', 'paid').nullable(),
  decided_at: moment('When that was decided'),
  refunded_at: moment('When money that was due went back'),
});

const letter = z.object({
  position,
  ordinal: countAnswer('Number of its place in the entry, from 0'),
  kind: textAnswer('What kind of transition it is', 'reservation'),
  error: textAnswer('Why no row took it', 'there is no product 1'),
  at: momentAnswer('When it happened'),
});

/** Everything that MySQL knows of a reservation, as the shop's own people see it. */
export const historyAnswer = z
  .object({
    hold_id: holdIdAnswer.nullable(),
    order_id: orderIdAnswer.nullable().openapi({ description: 'Null unless there is an order' }),
    hold: hold.nullable().openapi({ description: 'Null where MySQL has none' }),
    order: order.nullable().openapi({ description: 'Null unless there is an order' }),
    items: z.array(item).openapi({ description: 'What is held, sorted by product' }),
    transitions: z.array(step).openapi({ description: 'Everything that happened, in order' }),
    complete: z.boolean().openapi({
      description: 'Whether `transitions` has all there were: `HISTORY=last` keeps none',
    }),
    transition_count: countAnswer('Number of all transitions there were', 3),
    payments: z.array(payment).openapi({ description: 'Payment events, as they came' }),
    dead_letters: z.array(letter).openapi({ description: 'Transitions that no row took' }),
  })
  .openapi('History');

export type HistoryJson = z.output<typeof historyAnswer>;

const timeOrNull = (time: Date | null): string | null => (time ? isoTime(time.getTime()) : null);

// Rows that were written by hand may lack their currency.
const money = (minor: number, currency: string): string =>
  currency === '' ? String(minor) : formatMoney(minor, currency);

function holdOf({ hold: row }: History): HistoryJson['hold'] {
  return (
    row && {
      hold_id: row.id,
      status: row.state,
      version: row.version,
      lane: row.lane,
      buyer: row.buyer || null,
      amount: money(row.amountMinor, row.currency),
      currency: row.currency,
      created_at: timeOrNull(row.createdAt),
      expires_at: timeOrNull(row.expiresAt),
      ended_at: timeOrNull(row.endedAt),
    }
  );
}

function orderOf({ order: row }: History): HistoryJson['order'] {
  return (
    row && {
      order_id: row.id,
      status: orderStatus(row.state),
      version: row.version,
      lane: row.lane,
      buyer: row.buyer || null,
      amount: money(row.amountMinor, row.currency),
      currency: row.currency,
      reference: row.reference,
      created_at: timeOrNull(row.createdAt),
      pay_by: timeOrNull(row.payBy),
      settled_at: timeOrNull(row.settledAt),
    }
  );
}

// Whether units of a refunded order are sold again is told by the cause.
const told = (state: string): string => (state === 'returned' ? 'refunded' : state);

const stepOf = ({ at, from, to, ...rest }: HistoryStep) => ({
  ...rest,
  from: told(from),
  to: told(to),
  at: isoTime(at.getTime()),
});

function paymentsOf({ receipts }: History): HistoryJson['payments'] {
  return receipts.map((receipt) => ({
    reference: receipt.reference,
    order_id: receipt.orderId,
    status: receipt.status,
    payment: receipt.payment,
    amount:
      receipt.amountMinor === null ? null : money(receipt.amountMinor, receipt.currency ?? ''),
    currency: receipt.currency,
    received_at: isoTime(receipt.receivedAt.getTime()),
    outcome: receipt.outcome,
    order_status: receipt.orderState && told(receipt.orderState),
    decided_at: timeOrNull(receipt.decidedAt),
    refunded_at: timeOrNull(receipt.refundedAt),
  }));
}

export function historyJson(history: History): HistoryJson {
  const { id, items, steps, stepCount, letters } = history;
  const currency = history.hold?.currency ?? '';
  return {
    hold_id: id && holdId(id),
    order_id: id && history.order && orderId(id),
    hold: holdOf(history),
    order: orderOf(history),
    items: items.map(({ productId, name, qty, priceMinor }) => ({
      product_id: productId,
      name,
      qty,
      price: money(priceMinor, currency),
    })),
    transitions: steps.map(stepOf),
    complete: steps.length === stepCount,
    transition_count: stepCount,
    payments: paymentsOf(history),
    dead_letters: letters.map(({ at, position: entry, ordinal, kind, error }) => ({
      position: entry,
      ordinal,
      kind,
      error,
      at: isoTime(at.getTime()),
    })),
  };
}
