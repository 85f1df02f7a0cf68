import { createRoute, OpenAPIHono, z } from '@hono/zod-openapi';
import { Deadline } from '../../domain/deadline.ts';
import { COMMIT_BUDGET_MS } from '../budgets.ts';
import type { AppDeps } from '../deps.ts';
import { textAnswer, visibleAsciiField } from '../fields.ts';
import { problem } from '../problems.ts';
import { BODY_REFUSALS, refusals } from '../refusals.ts';
import { orderIdAnswer, orderStatusAnswer } from '../reservation-answer.ts';

const ORDER_ID = 'must be a text of 1 to 64 characters';

const paymentEvent = z
  .object(
    {
      order_id: z
        .string(ORDER_ID)
        .min(1, ORDER_ID)
        .max(64, ORDER_ID)
        .openapi({ description: 'Id of the order', example: 'order_01m822hvg9e008vyg0m5x19ams' }),
      reference: visibleAsciiField.openapi({
        description: "The provider's id of this event",
        example: 'pay-1',
      }),
      status: z
        .enum(['success', 'failed'], 'must be success or failed')
        .openapi({ description: 'Whether the money came' }),
    },
    'must be a JSON object',
  )
  .openapi('PaymentEvent');

const outcome = z.enum(['applied', 'ignored', 'refund_due', 'amount_mismatch']);

const receiptAnswer = z
  .object({
    status: z.enum([...outcome.options, 'duplicate']).openapi({
      description:
        'What became of the event: it took effect (`applied`), changed nothing (`ignored`), its ' +
        'money is to be paid back (`refund_due`), or it came before (`duplicate`)',
    }),
    outcome: outcome.optional().openapi({ description: 'Of the first event, for a duplicate' }),
    order_id: orderIdAnswer,
    order_status: z
      .string()
      .openapi({ description: 'What the order is now', enum: orderStatusAnswer.options }),
    reference: textAnswer("The provider's id of this event", 'pay-1'),
  })
  .openapi('PaymentReceipt');

const webhook = createRoute({
  method: 'post',
  path: '/api/payments/webhook',
  operationId: 'receivePayment',
  summary: 'Take a payment event; each `reference` takes effect at most once',
  description:
    'For the payment provider, which sends an event again until it is answered with 200. A success ' +
    'pays a `pending` order; one that comes too late pays it still if units are left, else it is ' +
    '`refund_due`. A failure cancels a `pending` order, and its units are back.',
  tags: ['payments'],
  request: {
    body: { required: true, content: { 'application/json': { schema: paymentEvent } } },
  },
  responses: {
    200: {
      description: 'The event and what became of it are stored durably.',
      content: { 'application/json': { schema: receiptAnswer } },
    },
    ...refusals(
      'reference_conflict',
      { code: 'order_not_found', status: 422 },
      'unavailable',
      'overloaded',
      ...BODY_REFUSALS,
    ),
  },
});

export function paymentRoutes({ payments }: AppDeps): OpenAPIHono {
  const routes = new OpenAPIHono();

  routes.openapi(webhook, async (c) => {
    const { order_id, reference, status } = c.req.valid('json');
    const event = { orderId: order_id, reference, status };
    const received = await payments.receive(event, new Deadline(COMMIT_BUDGET_MS));
    switch (received.status) {
      case 'reference_conflict':
        return problem(c, 'reference_conflict', {
          detail: 'This reference was used for another order or another status.',
        });
      case 'order_not_found':
        return problem(c, 'order_not_found', {
          detail: 'There is no such order yet. The event is kept, and applied if it appears.',
          status: 422,
        });
      default: {
        const order_status = received.orderState;
        const first = received.status === 'duplicate' ? { outcome: received.outcome } : {};
        return c.json(
          { status: received.status, ...first, order_id, order_status, reference },
          200,
        );
      }
    }
  });

  return routes;
}
