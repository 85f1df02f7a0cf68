import { z } from '@hono/zod-openapi';
import { isCurrency, parseMoney } from '../domain/money.ts';
import type { PaymentEvent } from '../domain/outcomes.ts';
import { AMOUNT_MESSAGE, CURRENCY_MESSAGE, visibleAsciiField } from './fields.ts';

const ORDER_ID = 'must be a text of 1 to 64 characters';
const BOTH = 'must be there with amount, and only with it';
const RETURNS = 'must be true or false, and only where status is refunded';

/** The body of `POST /api/payments/webhook`; a `PaymentEvent` once parsed. */
export const paymentRequest = z
  .object(
    {
      order_id: z
        .string(ORDER_ID)
        .min(1, ORDER_ID)
        .max(64, ORDER_ID)
        .openapi({ description: 'Id of the order', example: 'order_01m822hvg9e008vyg0m5x19ams' }),
      reference: visibleAsciiField.openapi({
        description: "The provider's id of this event; it takes effect at most once",
        example: 'evt_8f14e45f',
      }),
      status: z
        .enum(['success', 'failed', 'refunded'], 'must be success, failed or refunded')
        .openapi({ description: 'Whether the money came, or went back' }),
      amount: z
        .string(AMOUNT_MESSAGE)
        .optional()
        .openapi({
          description:
            'What was paid or refunded, as a decimal number of `currency`; when given, it must be the ' +
            'amount of the order',
          example: '129.00',
        }),
      currency: z
        .string(CURRENCY_MESSAGE)
        .optional()
        .openapi({ description: 'ISO 4217 code', example: 'USD' }),
      payment: visibleAsciiField.optional().openapi({
        description:
          "The provider's id of the payment, which several events may tell of. A refund names what " +
          'it gives back by it, or by the `reference` of the event that told of the payment.',
        example: 'pay_c9f0f895',
      }),
      return_units: z.boolean(RETURNS).optional().openapi({
        description: 'Only of a refund: whether its units are to be sold again',
        example: false,
      }),
    },
    'must be a JSON object',
  )
  .transform((body, context): PaymentEvent => {
    const { order_id: orderId, reference, status, amount, currency, payment } = body;
    const fail = (field: string, message: string) =>
      context.addIssue({ code: 'custom', path: [field], message });
    const event = { orderId, reference, status, payment };
    const returnsUnits = body.return_units ?? false;
    if (body.return_units !== undefined && status !== 'refunded') fail('return_units', RETURNS);
    if ((amount === undefined) !== (currency === undefined)) fail('currency', BOTH);
    if (amount === undefined || currency === undefined) return { ...event, returnsUnits };
    if (!isCurrency(currency)) {
      fail('currency', CURRENCY_MESSAGE);
      return event;
    }
    const amountMinor = parseMoney(amount, currency);
    if (amountMinor === undefined) fail('amount', AMOUNT_MESSAGE);
    return { ...event, returnsUnits, money: { amountMinor: amountMinor ?? 0, currency } };
  })
  .openapi('PaymentEvent', {
    // Of a payment: what only a refund has is not in it.
    example: {
      order_id: 'order_01m822hvg9e008vyg0m5x19ams',
      reference: 'evt_8f14e45f',
      status: 'success',
      amount: '258.00',
      currency: 'USD',
      payment: 'pay_c9f0f895',
    },
  });
