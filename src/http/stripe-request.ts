import { z } from '@hono/zod-openapi';
import { stripeEvent } from '../payments/stripe-events.ts';
import { textAnswer } from './fields.ts';

const OBJECT = {
  id: 'pi_c9f0f895',
  amount_received: 25800,
  currency: 'usd',
  metadata: { order_id: 'order_01m822hvg9e008vyg0m5x19ams' },
};

const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null;

// What the document shows; what an event must be is checked where it is read.
const described = z.object(
  {
    id: textAnswer("Stripe's id of this event; it takes effect at most once", 'evt_8f14e45f'),
    type: textAnswer('What happened', 'payment_intent.succeeded'),
    data: z
      .object({
        object: z
          .unknown()
          .refine(isObject, 'must be an object')
          .openapi({
            type: 'object',
            description:
              'The PaymentIntent, the Checkout Session or the Charge that it happened to; ' +
              '`metadata.order_id` names the order',
            example: OBJECT,
          }),
      })
      .openapi({ description: 'What it happened to' }),
  },
  'must be a JSON object',
);

/** The body of `POST /api/payments/stripe`. */
export const stripeRequest = described.pipe(stripeEvent).openapi('StripeEvent', {
  description: "These fields of one of Stripe's events matter; all others are ignored.",
});
