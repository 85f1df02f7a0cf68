import { createRoute, OpenAPIHono, z } from '@hono/zod-openapi';
import type { Context, MiddlewareHandler } from 'hono';
import { Deadline } from '../../domain/deadline.ts';
import type { PaymentOutcome } from '../../domain/outcomes.ts';
import type { OrderState } from '../../domain/reservation.ts';
import type { Signing } from '../../payments/signatures.ts';
import { meaningOf } from '../../payments/stripe-events.ts';
import { COMMIT_BUDGET_MS } from '../budgets.ts';
import type { AppDeps } from '../deps.ts';
import { textAnswer } from '../fields.ts';
import { paymentRequest } from '../payment-request.ts';
import { invalid, notFound, type ProblemResponse, problem } from '../problems.ts';
import { BODY_REFUSALS, refusals } from '../refusals.ts';
import { orderIdAnswer, orderStatus, orderStatusAnswer } from '../reservation-answer.ts';
import { stripeRequest } from '../stripe-request.ts';

const outcome = z.enum(['applied', 'ignored', 'refund_due', 'amount_mismatch']);

const RECEIPT = {
  status: 'applied',
  order_id: 'order_01m822hvg9e008vyg0m5x19ams',
  order_status: 'paid',
  reference: 'evt_8f14e45f',
} as const;

const receiptAnswer = z
  .object({
    status: z.enum([...outcome.options, 'duplicate']).openapi({
      description:
        'What became of the event: it took effect (`applied`), changed nothing (`ignored`), its ' +
        'money is to be paid back (`refund_due`), or it has acted before (`duplicate`)',
    }),
    outcome: outcome.optional().openapi({ description: 'Of the first event, for a duplicate' }),
    order_id: orderIdAnswer,
    order_status: orderStatusAnswer
      .nullable()
      .openapi({ description: 'What the order was then; null where it had no say' }),
    reference: textAnswer("The provider's id of this event", 'evt_8f14e45f'),
  })
  .openapi('PaymentReceipt', {
    description: 'What became of an event of an order',
    example: RECEIPT,
  });

const notOurs = z
  .object({
    status: z.literal('ignored').openapi({ description: 'It changed nothing' }),
    reference: textAnswer("The provider's id of this event", 'evt_8f14e45f'),
    reason: textAnswer('Why it is of no order here', 'metadata.order_id names no order'),
  })
  .openapi('ForeignEvent', { description: 'That an event is of no order here' });

const stripeAnswer = z.union([receiptAnswer, notOurs]).openapi('StripeReceipt', {
  description: 'What became of an event, or that it is of no order here',
  example: RECEIPT,
});

const REFUSALS = refusals(
  'bad_signature',
  'not_found',
  'reference_conflict',
  { code: 'order_not_found', status: 422 },
  { code: 'order_not_paid', status: 422 },
  'unavailable',
  'overloaded',
  ...BODY_REFUSALS,
);

const SIGNED_BY = ([name, what, example]: readonly [string, string, string]) => ({
  name,
  example,
  in: 'header' as const,
  required: false,
  description: `${what}; needed where a secret is set`,
  schema: { type: 'string' as const },
});

const STANDARD_HEADERS = [
  ['webhook-id', 'Id of the message', 'msg_2KWPBgLlAfxdpx2AI54pPJ85f4W'],
  ['webhook-timestamp', 'When it was sent, in seconds since 1970', '1782907200'],
  [
    'webhook-signature',
    'Of id, timestamp and body',
    'v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=',
  ],
] as const;

const webhook = createRoute({
  method: 'post',
  path: '/api/payments/webhook',
  operationId: 'receivePayment',
  summary: 'Take a payment event; each `reference` takes effect at most once',
  description:
    'For the payment provider, which sends an event again until it is answered with 200. A success ' +
    'pays a `pending` order; one that comes too late pays it still if units are left, else it is ' +
    '`refund_due`. A failure cancels a `pending` order, and its units are back. A refund ends a `paid` ' +
    'order. Signed by Standard Webhooks (www.standardwebhooks.com) with one of the secrets in ' +
    '`WEBHOOK_SECRET`; timestamps over five minutes from now are refused.',
  tags: ['payments'],
  parameters: STANDARD_HEADERS.map(SIGNED_BY),
  request: {
    body: { required: true, content: { 'application/json': { schema: paymentRequest } } },
  },
  responses: {
    200: {
      description: 'The event and what became of it are stored durably.',
      content: { 'application/json': { schema: receiptAnswer } },
    },
    ...REFUSALS,
  },
});

const stripe = createRoute({
  method: 'post',
  path: '/api/payments/stripe',
  operationId: 'receiveStripeEvent',
  summary: "Take one of Stripe's events",
  description:
    'Signed by Stripe with one of the secrets in `STRIPE_WEBHOOK_SECRET`. The order is named by ' +
    '`metadata.order_id` of the PaymentIntent, the Checkout Session or the Charge. Acts on ' +
    '`payment_intent.succeeded`, `payment_intent.payment_failed`, `checkout.session.completed`, ' +
    '`checkout.session.async_payment_succeeded`, `checkout.session.async_payment_failed`, ' +
    '`checkout.session.expired` and `charge.refunded`; others are answered and forgotten.',
  tags: ['payments'],
  parameters: [SIGNED_BY(['stripe-signature', 'Of time and body', 't=1782907200,v1=5257a869e7'])],
  request: {
    body: {
      required: true,
      content: { 'application/json': { schema: stripeRequest } },
    },
  },
  responses: {
    200: {
      description: 'The event and what became of it are stored durably, or it is of no order here.',
      content: { 'application/json': { schema: stripeAnswer } },
    },
    ...REFUSALS,
  },
});

// Of the raw body, before anybody reads it.
function requireSignature(signing: Signing): MiddlewareHandler {
  return async (c, next) => {
    if (signing.kind === 'off') return notFound(c);
    if (signing.kind === 'unsigned') return next();
    const body = Buffer.from(await c.req.arrayBuffer());
    if (signing.verify(body, (name) => c.req.header(name))) return next();
    return problem(c, 'bad_signature', {
      detail: 'The signature is missing, of another secret or body, or over five minutes old.',
    });
  };
}

type Refusal = Extract<
  PaymentOutcome,
  { status: 'reference_conflict' | 'order_not_found' | 'order_not_paid' }
>;

function refuse(c: Context, { status }: Refusal): ProblemResponse {
  switch (status) {
    case 'reference_conflict':
      return problem(c, 'reference_conflict', {
        detail: 'This reference was used for an event of other content.',
      });
    case 'order_not_found':
      return problem(c, 'order_not_found', {
        detail: 'There is no such order yet. The event is kept, and applied if it appears.',
        status: 422,
      });
    case 'order_not_paid':
      return problem(c, 'order_not_paid', {
        detail: 'There is no such payment yet. The refund is kept, and applied if it appears.',
        status: 422,
      });
  }
}

type Decided = Exclude<PaymentOutcome, Refusal>;

function receiptJson(received: Decided, order_id: string, reference: string) {
  const { status, orderState } = received;
  return {
    status,
    ...(status === 'duplicate' ? { outcome: received.outcome } : {}),
    order_id,
    order_status: orderState && orderStatus(orderState as OrderState),
    reference,
  };
}

const isRefusal = (received: PaymentOutcome): received is Refusal =>
  received.status === 'reference_conflict' ||
  received.status === 'order_not_found' ||
  received.status === 'order_not_paid';

export function paymentRoutes({ payments, signing }: AppDeps): OpenAPIHono {
  const routes = new OpenAPIHono();
  routes.use('/api/payments/webhook', requireSignature(signing.standard));
  routes.use('/api/payments/stripe', requireSignature(signing.stripe));

  routes.openapi(webhook, async (c) => {
    const event = c.req.valid('json');
    const received = await payments.receive(event, new Deadline(COMMIT_BUDGET_MS));
    if (isRefusal(received)) return refuse(c, received);
    return c.json(receiptJson(received, event.orderId, event.reference), 200);
  });

  routes.openapi(stripe, async (c) => {
    const { id: reference, ...rest } = c.req.valid('json');
    const meaning = meaningOf({ id: reference, ...rest });
    if (meaning.kind === 'none') {
      return c.json({ status: 'ignored' as const, reference, reason: meaning.reason }, 200);
    }
    if (meaning.kind === 'unreadable') return invalid(c, 'data.object', meaning.message);
    const received = await payments.receive(meaning.event, new Deadline(COMMIT_BUDGET_MS));
    if (isRefusal(received)) return refuse(c, received);
    return c.json(receiptJson(received, meaning.event.orderId, reference), 200);
  });

  return routes;
}
