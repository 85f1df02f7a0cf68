import { z } from '@hono/zod-openapi';
import { parseOrderId, type ReservationId } from '../domain/ids.ts';
import type { OrderFilter } from '../domain/order-list.ts';
import { buyerField, momentField, productIdOf } from './fields.ts';
import { orderStatusAnswer } from './reservation-answer.ts';

const LIMIT_MAX = 200;
const LIMIT_DEFAULT = 50;

const STATUS = `must be one of ${orderStatusAnswer.options.join(', ')}`;
const PRODUCT = 'must be a positive whole number';
const LIMIT = `must be a whole number from 1 to ${LIMIT_MAX}`;
const AFTER = 'must be the `next` of a page before';
const WINDOW = 'must be later than from';

/** The query of `GET /api/admin/orders`. */
export const orderListRequest = z
  .strictObject({
    status: z
      .enum(orderStatusAnswer.options, STATUS)
      .optional()
      .openapi({ description: 'What the orders are' }),
    product_id: z
      .string(PRODUCT)
      .transform((text, context) => {
        const id = productIdOf(text);
        if (id === undefined) context.addIssue({ code: 'custom', message: PRODUCT });
        return id ?? z.NEVER;
      })
      .optional()
      .openapi({
        type: 'integer',
        description: 'Id of a product: orders with an item of it',
        example: 1,
      }),
    buyer: buyerField.optional().openapi({ description: 'Who bought', example: 'ada' }),
    from: momentField.optional().openapi({
      description: 'Made at this moment or later',
      example: '2026-07-01T12:00:00.000Z',
    }),
    to: momentField
      .optional()
      .openapi({ description: 'Made before this moment', example: '2026-07-02T12:00:00.000Z' }),
    limit: z
      .string(LIMIT)
      .regex(/^[1-9]\d{0,2}$/, LIMIT)
      .transform(Number)
      .refine((limit) => limit <= LIMIT_MAX, LIMIT)
      .optional()
      .openapi({
        ...{ type: 'integer', minimum: 1, maximum: LIMIT_MAX, default: LIMIT_DEFAULT },
        description: `Number of orders of a page, at most; ${LIMIT_DEFAULT} unless told otherwise`,
        example: LIMIT_DEFAULT,
      }),
    after: z
      .string(AFTER)
      .transform((text, context) => {
        const id = parseOrderId(text);
        if (id === undefined) context.addIssue({ code: 'custom', message: AFTER });
        return id ?? z.NEVER;
      })
      .optional()
      .openapi({
        ...{ type: 'string', description: 'The `next` of the page before' },
        example: 'order_01m822hvg9e008vyg0m5x19ams',
      }),
  })
  .refine(({ from, to }) => from === undefined || to === undefined || from < to, {
    path: ['to'],
    error: WINDOW,
  });

/** What a query asks for. */
export function orderListOf(query: z.output<typeof orderListRequest>): {
  filter: OrderFilter;
  page: { after: ReservationId | null; limit: number };
} {
  const { status, product_id, buyer, from, to, limit, after } = query;
  const filter = {
    // Told as one, whether or not their units are sold again.
    states: status === 'refunded' ? (['refunded', 'returned'] as const) : status ? [status] : null,
    productId: product_id ?? null,
    buyer: buyer ?? null,
    fromMs: from ?? null,
    toMs: to ?? null,
  };
  return { filter, page: { after: after ?? null, limit: limit ?? LIMIT_DEFAULT } };
}
