import { z } from '@hono/zod-openapi';
import { holdId, orderId } from '../domain/ids.ts';
import { formatMoney } from '../domain/money.ts';
import type { Hold, Order } from '../domain/outcomes.ts';
import type { Item, OrderState } from '../domain/reservation.ts';
import {
  amountAnswer,
  currencyAnswer,
  isoTime,
  isoTimeOrNull,
  itemAnswer,
  momentAnswer,
  pathParameter,
  productIdAnswer,
  qtyAnswer,
  textAnswer,
} from './fields.ts';

const HOLD_ID = 'hold_01m822hvg9e008vyg0m5x19ams';
const ORDER_ID = 'order_01m822hvg9e008vyg0m5x19ams';
export const orderIdAnswer = textAnswer('Id of the order', ORDER_ID);
export const holdIdAnswer = textAnswer('Id of the hold', HOLD_ID);

export const HOLD_ID_PARAMETER = pathParameter('hold_id', 'Id of the hold', HOLD_ID);
export const ORDER_ID_PARAMETER = pathParameter('order_id', 'Id of the order', ORDER_ID);

const items = z.array(itemAnswer).min(1).openapi({ description: 'Sorted by product' });

/** What buyers and shops are told of an order's state. */
export const orderStatusAnswer = z
  .enum(['pending', 'paid', 'cancelled', 'expired', 'refund_due', 'refunded'])
  .openapi({
    description:
      'What the order is: it awaits its payment (`pending`), is `paid`, `cancelled` or `expired`, ' +
      'or was paid when its units were gone (`refund_due`) and that money is back (`refunded`)',
  });

/** What a hold can be. */
export const holdStatusAnswer = z.enum(['held', 'ordered', 'released', 'expired']).openapi({
  description:
    'What the hold is: units are kept (`held`), it became an order (`ordered`), was given back ' +
    '(`released`) or ran out (`expired`)',
});

/** `refunded` in one word: whether its units are sold again is a field of its own. */
export const orderStatus = (state: OrderState): z.output<typeof orderStatusAnswer> =>
  state === 'returned' ? 'refunded' : state;

/** A hold as its buyer sees it. */
export const holdAnswer = z
  .object({
    hold_id: holdIdAnswer,
    status: holdStatusAnswer,
    product_id: productIdAnswer
      .optional()
      .openapi({ description: 'Id of the product, in a hold of only one' }),
    qty: qtyAnswer.optional().openapi({ description: 'Its units, in a hold of only one product' }),
    items,
    amount: amountAnswer('Price of all units'),
    currency: currencyAnswer,
    expires_at: momentAnswer('When the units go back', '2026-07-01T12:02:00.000Z'),
    order_id: orderIdAnswer
      .optional()
      .openapi({ description: 'The order it became, once it is `ordered`' }),
  })
  .openapi('Hold', {
    example: {
      hold_id: HOLD_ID,
      status: 'held',
      product_id: 1,
      qty: 2,
      items: [{ product_id: 1, qty: 2 }],
      amount: '258.00',
      currency: 'USD',
      expires_at: '2026-07-01T12:02:00.000Z',
    },
  });

/** A new order as its buyer sees it. */
export const orderAnswer = z
  .object({
    order_id: orderIdAnswer,
    hold_id: holdIdAnswer,
    status: orderStatusAnswer,
    items,
    amount: amountAnswer('Price of all units'),
    currency: currencyAnswer,
    pay_by: momentAnswer('When the units go back unless it is paid', '2026-07-01T12:15:00.000Z'),
  })
  .openapi('Order');

/** An example: an order that is paid. */
export const ORDER_DETAILS = {
  order_id: ORDER_ID,
  hold_id: HOLD_ID,
  status: 'paid',
  items: [{ product_id: 1, qty: 2 }],
  amount: '258.00',
  currency: 'USD',
  pay_by: '2026-07-01T12:15:00.000Z',
  created_at: '2026-07-01T12:00:00.000Z',
  payment: { reference: 'evt_8f14e45f', settled_at: '2026-07-01T12:01:00.000Z' },
  refunded_at: null,
  units_returned: false,
} as const;

/** An order with its story so far. */
export const orderDetailsAnswer = orderAnswer
  .extend({
    created_at: momentAnswer('When it was made'),
    payment: z
      .object({
        reference: textAnswer("The provider's id of the event", 'pay-1'),
        settled_at: momentAnswer('When it took effect').nullable(),
      })
      .nullable()
      .openapi({ description: 'The payment event that settled the order; null before' }),
    refunded_at: momentAnswer('When its money went back; null unless it has').nullable(),
    units_returned: z.boolean().openapi({
      description: 'Whether it is refunded and its units are sold again, or never were sold',
      example: false,
    }),
  })
  .openapi('OrderDetails', { example: ORDER_DETAILS });

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
  const settled_at = isoTimeOrNull(settledAtMs);
  return {
    ...orderJson(order),
    created_at: isoTime(order.createdAtMs),
    payment: reference ? { reference, settled_at } : null,
    refunded_at: isoTimeOrNull(order.refundedAtMs),
    units_returned: order.state === 'returned',
  };
}
