import { createRoute, OpenAPIHono, z } from '@hono/zod-openapi';
import type { RefundPlace } from '../../db/refunds.ts';
import { Deadline } from '../../domain/deadline.ts';
import { parseOrderId } from '../../domain/ids.ts';
import { COMMIT_BUDGET_MS } from '../budgets.ts';
import type { AppDeps } from '../deps.ts';
import { countAnswer, textAnswer, visibleAsciiField } from '../fields.ts';
import { invalid, problem } from '../problems.ts';
import { refundAnswer, refundJson } from '../refund-answer.ts';
import { BODY_REFUSALS, refusals } from '../refusals.ts';
import {
  ORDER_DETAILS,
  ORDER_ID_PARAMETER,
  orderDetailsAnswer,
  orderDetailsJson,
  orderIdAnswer,
} from '../reservation-answer.ts';
import { unknownOrder } from '../unknown.ts';
import { ADMIN, ADMIN_REFUSALS } from './admin-route.ts';

const PAGE = 100;
const ORDER_ID = [ORDER_ID_PARAMETER];
const REFUNDED = {
  ...ORDER_DETAILS,
  status: 'refunded',
  refunded_at: '2026-07-02T12:00:00.000Z',
  units_returned: true,
};

const listRefunds = createRoute({
  ...ADMIN,
  method: 'get',
  path: '/api/admin/refunds',
  operationId: 'listRefunds',
  summary: 'Money that must go back',
  description:
    'Successes that came too late for an order without units left, second payments of an order, ' +
    `and payments of another amount. The oldest first, ${PAGE} at a time.`,
  parameters: [
    {
      name: 'after',
      in: 'query',
      required: false,
      description: '`next` of the page before',
      example: '1782907200000.evt_8f14e45f',
      schema: { type: 'string' },
    },
  ],
  responses: {
    200: {
      description: 'What waits',
      content: {
        'application/json': {
          schema: z
            .object({
              refunds: z.array(refundAnswer).openapi({ description: 'The oldest first' }),
              open: countAnswer('Number of refunds in all, told here or not', 1),
              next: textAnswer(
                'Where the next page begins; null at the end',
                '1782907200000.evt_8f14e45f',
              ).nullable(),
            })
            .openapi('RefundsDue'),
        },
      },
    },
    ...refusals('invalid_request', ...ADMIN_REFUSALS),
  },
});

const finishRefund = createRoute({
  ...ADMIN,
  method: 'post',
  path: '/api/admin/refunds/{order_id}/done',
  operationId: 'finishRefund',
  summary: 'Say that the money due on an order has gone back',
  description:
    'An order that is `refund_due` is `refunded` then; one that is `paid` stays so, where it was ' +
    'paid twice. Saying it again changes nothing. Nothing is noted where one of the references is ' +
    'of nothing that was due.',
  parameters: ORDER_ID,
  request: {
    body: {
      required: true,
      content: {
        'application/json': {
          schema: z
            .strictObject(
              {
                references: z

                  .array(
                    visibleAsciiField.openapi({
                      description: "The provider's id of an event",
                      example: 'evt_8f14e45f',
                    }),
                    `must be a list of 1 to ${PAGE} references`,
                  )
                  .min(1, `must be 1 to ${PAGE} references`)
                  .max(PAGE, `must be 1 to ${PAGE} references`)
                  .openapi({
                    description: 'Of the payment events whose money has gone back, as listed',
                    example: ['evt_8f14e45f'],
                  }),
              },
              'must be a JSON object',
            )
            .openapi('RefundsDone'),
        },
      },
    },
  },
  responses: {
    200: {
      description: 'Nothing is due on this order any more.',
      content: {
        'application/json': {
          schema: z
            .object({
              order_id: orderIdAnswer,
              references: z
                .array(textAnswer("The provider's id of an event", 'evt_8f14e45f'))
                .openapi({
                  description: 'Of the payment events that were still due; none in a repeat',
                }),
            })
            .openapi('RefundDone'),
        },
      },
    },
    ...refusals(
      'order_not_found',
      'no_refund_due',
      'overloaded',
      ...ADMIN_REFUSALS,
      ...BODY_REFUSALS,
    ),
  },
});

const refundOrder = createRoute({
  ...ADMIN,
  method: 'post',
  path: '/api/admin/orders/{order_id}/refund',
  operationId: 'refundOrder',
  summary: 'Say that a paid order was refunded',
  description:
    'For refunds that the payment provider does not tell by itself. Its units stay sold unless ' +
    '`return_units` asks for them, now or later. Saying it again changes nothing.',
  parameters: ORDER_ID,
  request: {
    body: {
      required: true,
      content: {
        'application/json': {
          schema: z
            .strictObject(
              {
                return_units: z.boolean('must be true or false').optional().openapi({
                  description: 'Whether its units are to be sold again',
                  example: true,
                }),
              },
              'must be a JSON object',
            )
            .openapi('OrderRefund'),
        },
      },
    },
  },
  responses: {
    200: {
      description: 'The order, refunded',
      content: { 'application/json': { schema: orderDetailsAnswer, example: REFUNDED } },
    },
    ...refusals(
      'order_not_found',
      'order_not_paid',
      'overloaded',
      ...ADMIN_REFUSALS,
      ...BODY_REFUSALS,
    ),
  },
});

function placeOf(text: string | undefined): RefundPlace | undefined | null {
  if (text === undefined) return undefined;
  const [, ms, reference = ''] = /^(\d{1,15})\.([\x21-\x7e]{1,128})$/.exec(text) ?? [];
  return ms === undefined ? null : { receivedAtMs: Number(ms), reference };
}

export function adminRefundRoutes({ refunds }: Pick<AppDeps, 'refunds'>): OpenAPIHono {
  const routes = new OpenAPIHono();

  routes.openapi(listRefunds, async (c) => {
    const after = placeOf(c.req.query('after'));
    if (after === null) return invalid(c, 'after', 'must be next of another page');
    const found = await refunds.list(after, PAGE, new Deadline(COMMIT_BUDGET_MS));
    const last = found.refunds.length === PAGE ? found.refunds.at(-1) : undefined;
    const next = last ? `${last.receivedAtMs}.${last.reference}` : null;
    return c.json({ refunds: found.refunds.map(refundJson), open: found.open, next }, 200);
  });

  routes.openapi(finishRefund, async (c) => {
    const order_id = c.req.param('order_id');
    const { references } = c.req.valid('json');
    const outcome = await refunds.done(order_id, references, new Deadline(COMMIT_BUDGET_MS));
    switch (outcome.status) {
      case 'order_not_found':
        return unknownOrder(c);
      case 'no_refund_due':
        return problem(c, 'no_refund_due', {
          detail:
            'No money was due back on this order for one of these references. What is due is told ' +
            'by /api/admin/refunds; a paid order is refunded by /refund.',
        });
      case 'done':
        return c.json({ order_id, references: outcome.references }, 200);
    }
  });

  routes.openapi(refundOrder, async (c) => {
    const id = parseOrderId(c.req.param('order_id'));
    if (!id) return unknownOrder(c);
    const { return_units: returnsUnits = false } = c.req.valid('json');
    const outcome = await refunds.refundOrder(id, returnsUnits, new Deadline(COMMIT_BUDGET_MS));
    switch (outcome.status) {
      case 'order_not_found':
        return unknownOrder(c);
      case 'order_not_paid':
        return problem(c, 'order_not_paid', {
          detail: 'The order is not paid. Money that is due back is told by /refunds.',
        });
      case 'refunded':
        return c.json(orderDetailsJson(outcome.order), 200);
    }
  });

  return routes;
}
