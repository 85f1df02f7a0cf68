import { z } from '@hono/zod-openapi';
import type { History, HistoryStep } from '../db/history.ts';
import { holdId, orderId } from '../domain/ids.ts';
import { formatMoney } from '../domain/money.ts';
import { amountField, currencyField, isoTime, momentAnswer } from './fields.ts';
import { orderStatus, orderStatusAnswer } from './reservation-answer.ts';

const moment = momentAnswer.nullable();
const text = z.string().nullable();
const position = z.string().openapi({
  description: "Of the journal's entry: `<epoch>-<sequence>`",
  example: '1-4711',
});

const hold = z.object({
  hold_id: z.string(),
  status: z.enum(['held', 'ordered', 'released', 'expired']),
  version: z.int(),
  lane: z.int(),
  buyer: text,
  amount: amountField,
  currency: currencyField,
  created_at: moment,
  expires_at: moment,
  ended_at: moment,
});

const order = z.object({
  order_id: z.string(),
  status: orderStatusAnswer,
  version: z.int(),
  lane: z.int(),
  buyer: text,
  amount: amountField,
  currency: currencyField,
  reference: text.openapi({ description: 'Of the payment event that settled it' }),
  created_at: moment,
  pay_by: moment,
  settled_at: moment,
});

const item = z.object({
  product_id: z.int(),
  name: text,
  qty: z.int(),
  price: amountField.openapi({ description: 'Of one unit, when the hold was made' }),
});

const step = z.object({
  version: z.int(),
  from: z.string().openapi({ description: '`none` before the hold' }),
  to: z.string(),
  at: momentAnswer,
  position: position.nullable().openapi({ description: 'Null where a rebuild decided' }),
  cause: z.string().openapi({ example: 'payment pay-1' }),
  reference: text.openapi({ description: 'Of the payment event that caused it' }),
});

const payment = z.object({
  reference: z.string(),
  order_id: z.string().openapi({ description: 'As the provider names it' }),
  status: z.enum(['success', 'failed', 'refunded']),
  received_at: momentAnswer,
  outcome: z
    .enum(['applied', 'ignored', 'refund_due', 'amount_mismatch'])
    .nullable()
    .openapi({ description: 'Null while it is open' }),
  order_status: text.openapi({ description: 'What the order was then' }),
  decided_at: moment,
});

const letter = z.object({
  position,
  ordinal: z.int(),
  kind: z.string(),
  error: z.string(),
  at: momentAnswer,
});

/** Everything that MySQL knows of a reservation, as the shop's own people see it. */
export const historyAnswer = z
  .object({
    hold_id: text,
    order_id: text.openapi({ description: 'Null unless there is an order' }),
    hold: hold.nullable(),
    order: order.nullable(),
    items: z.array(item),
    transitions: z.array(step),
    complete: z.boolean().openapi({
      description: 'Whether `transitions` has all there were: `HISTORY=last` keeps none',
    }),
    transition_count: z.int().openapi({ description: 'Of all there were' }),
    payments: z.array(payment),
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

const stepOf = ({ at, ...rest }: HistoryStep) => ({ ...rest, at: isoTime(at.getTime()) });

function paymentsOf({ receipts }: History): HistoryJson['payments'] {
  return receipts.map((receipt) => ({
    reference: receipt.reference,
    order_id: receipt.orderId,
    status: receipt.status,
    received_at: isoTime(receipt.receivedAt.getTime()),
    outcome: receipt.outcome,
    order_status: receipt.orderState,
    decided_at: timeOrNull(receipt.decidedAt),
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
