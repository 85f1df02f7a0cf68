import { z } from '@hono/zod-openapi';
import type { RefundDue } from '../db/refunds.ts';
import { formatMoney } from '../domain/money.ts';
import { amountField, currencyField, isoTime, momentAnswer } from './fields.ts';

/** Money that waits to go back. */
export const refundAnswer = z
  .object({
    order_id: z.string().openapi({
      description: 'As the provider named it; there may be no such order',
      example: 'order_01jzc0000000000000000000000',
    }),
    reference: z.string().openapi({ description: 'Of the payment event', example: 'evt_8f14e45f' }),
    payment: z
      .string()
      .nullable()
      .openapi({ description: "The provider's id of the payment", example: 'pay_c9f0f895' }),
    reason: z.enum(['refund_due', 'amount_mismatch']).openapi({
      description:
        '`refund_due`: there was nothing to sell for it. `amount_mismatch`: another amount than ' +
        "the order's was paid.",
    }),
    amount: amountField
      .nullable()
      .openapi({ description: 'What was paid; null where nobody knows', example: '129.00' }),
    currency: currencyField.nullable(),
    buyer: z.string().nullable().openapi({ example: 'ann' }),
    received_at: momentAnswer,
  })
  .openapi('RefundDue');

export function refundJson({
  orderId,
  money,
  ...refund
}: RefundDue): z.output<typeof refundAnswer> {
  return {
    order_id: orderId,
    reference: refund.reference,
    payment: refund.payment,
    reason: refund.reason,
    amount: money && formatMoney(money.amountMinor, money.currency),
    currency: money?.currency ?? null,
    buyer: refund.buyer || null,
    received_at: isoTime(refund.receivedAtMs),
  };
}
