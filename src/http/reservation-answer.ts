import { z } from '@hono/zod-openapi';
import { holdId, orderId } from '../domain/ids.ts';
import { formatMoney } from '../domain/money.ts';
import type { Hold, Order } from '../domain/outcomes.ts';
import type { Item, OrderState } from '../domain/reservation.ts';
import { amountField, currencyField, isoTime, itemAnswer, momentAnswer } from './fields.ts';

const HOLD_ID = 'hold_01jzc0000000000000000000000';
const ORDER_ID = 'order_01jzc0000000000000000000000';
const orderIdAnswer = z.string().openapi({ example: ORDER_ID });
const holdIdAnswer = z.string().openapi({ example: HOLD_ID });

/** What buyers and shops are told of an order's state. */
export const orderStatusAnswer = z.enum([
  'pending',
  'paid',
  'cancelled',
  'expired',
  'refund_due',
  'refunded',
]);

/** `refunded` in one word: whether its units are sold again is a field of its own. */
export const orderStatus = (state: OrderState): z.output<typeof orderStatusAnswer> =>
  state === 'returned' ? 'refunded' : state;

/** A hold as its buyer sees it. */
export const holdAnswer = z
  .object({
    hold_id: holdIdAnswer,
    status: z.enum(['held', 'ordered', 'released', 'expired']),
    product_id: z.int().optional().openapi({ description: 'Only in a hold of one product' }),
    qty: z.int().optional().openapi({ description: 'Only in a hold of one product' }),
    items: z.array(itemAnswer).min(1).openapi({ description: 'Sorted by product' }),
    amount: amountField,
    currency: currencyField,
    expires_at: momentAnswer,
    order_id: orderIdAnswer.optional().openapi({ description: 'Once the hold is `ordered`' }),
  })
  .openapi('Hold');

/** A new order as its buyer sees it. */
export const orderAnswer = z
  .object({
    order_id: orderIdAnswer,
    hold_id: holdIdAnswer,
    status: orderStatusAnswer,
    items: z.array(itemAnswer).min(1).openapi({ description: 'Sorted by product' }),
    amount: amountField,
    currency: currencyField,
    pay_by: momentAnswer,
  })
  .openapi('Order');

/** An order with its story so far. */
export const orderDetailsAnswer = orderAnswer
  .extend({
    created_at: momentAnswer,
    payment: z
      .object({ reference: z.string(), settled_at: momentAnswer.nullable() })
      .nullable()
      .openapi({ description: 'The payment event that settled the order' }),
  })
  .openapi('OrderDetails');

const itemJson = ({ productId, qty }: Item) => ({ product_id: productId, qty });

export function holdJson(hold: Hold): z.output<typeof holdAnswer> {
  const only = hold.items.length === 1 ? hold.items[0] : undefined;
  return {
    hold_id: holdId(hold.id),
    status: hold.state,
    // Left out of the JSON where undefined.
    product_id: only?.productId,
    qty: only?.qty,
    items: hold.items.map(itemJson),
    amount: formatMoney(hold.amountMinor, hold.currency),
    currency: hold.currency,
    expires_at: isoTime(hold.expiresAtMs),
    order_id: hold.state === 'ordered' ? orderId(hold.id) : undefined,
  };
}

export function orderJson(order: Order): z.output<typeof orderAnswer> {
  return {
    order_id: orderId(order.id),
    hold_id: holdId(order.id),
    status: orderStatus(order.state),
    items: order.items.map(itemJson),
    amount: formatMoney(order.amountMinor, order.currency),
    currency: order.currency,
    pay_by: isoTime(order.payByMs),
  };
}

export function orderDetailsJson(order: Order): z.output<typeof orderDetailsAnswer> {
  const { reference, settledAtMs } = order;
  const settled_at = settledAtMs === null ? null : isoTime(settledAtMs);
  return {
    ...orderJson(order),
    created_at: isoTime(order.createdAtMs),
    payment: reference ? { reference, settled_at } : null,
  };
}
