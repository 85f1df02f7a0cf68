import { z } from '@hono/zod-openapi';
import { orderId } from '../domain/ids.ts';
import type { OrderPage } from '../domain/order-list.ts';
import { orderDetailsAnswer, orderDetailsJson } from './reservation-answer.ts';

const listedOrder = orderDetailsAnswer
  .extend({ buyer: z.string().nullable().openapi({ description: 'null where none was named' }) })
  .openapi('ListedOrder');

/** A page of orders. */
export const orderListAnswer = z
  .object({
    orders: z.array(listedOrder),
    next: z.string().nullable().openapi({ description: 'What to go on after; null at the end' }),
  })
  .openapi('Orders');

export function orderListJson({ orders, next }: OrderPage): z.output<typeof orderListAnswer> {
  return {
    orders: orders.map((order) => ({ ...orderDetailsJson(order), buyer: order.buyer || null })),
    next: next === null ? null : orderId(next),
  };
}
