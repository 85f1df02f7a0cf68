import { z } from '@hono/zod-openapi';
import { orderId } from '../domain/ids.ts';
import type { OrderPage } from '../domain/order-list.ts';
import { textAnswer } from './fields.ts';
import { ORDER_DETAILS, orderDetailsAnswer, orderDetailsJson } from './reservation-answer.ts';

const listedOrder = orderDetailsAnswer
  .extend({ buyer: textAnswer('Who bought; null where nobody said', 'ada').nullable() })
  .openapi('ListedOrder', { example: { ...ORDER_DETAILS, buyer: 'ada' } });

/** A page of orders. */
export const orderListAnswer = z
  .object({
    orders: z.array(listedOrder).openapi({ description: 'The newest first' }),
    next: textAnswer(
      'What to go on after; null at the end',
      'order_01m822hvg9e008vyg0m5x19ams',
    ).nullable(),
  })
  .openapi('Orders');

export function orderListJson({ orders, next }: OrderPage): z.output<typeof orderListAnswer> {
  return {
    orders: orders.map((order) => ({ ...orderDetailsJson(order), buyer: order.buyer || null })),
    next: next === null ? null : orderId(next),
  };
}
