import { z } from '@hono/zod-openapi';
import type { RefundDue } from '../db/refunds.ts';
import { formatMoney } from '../domain/money.ts';
import { currencyAnswer, isoTime, momentAnswer, textAnswer } from './fields.ts';

/** Money that waits to go back. */
export const refundAnswer = z
  .object({
    order_id: textAnswer(
      'As the provider named it; there may be no such order',
      'order_01m822hvg9e008vyg0m5x19ams',
    ),
    reference: textAnswer('Of the payment event', 'evt_8f14e45f'),
    payment: textAnswer("The provider's id of the payment", 'pay_c9f0f895').nullable(),
    reason: z.enum(['refund_due', 'amount_mismatch']).openapi({
      description:
        '`refund_due`: there was nothing to sell for it. `amount_mismatch`: another amount than ' +
        "the order's was paid.",
    }),
    amount: textAnswer(
      'What was paid, as a decimal number of `currency`; null where nobody knows',
      '129.00',
    ).nullable(),
    currency: currencyAnswer.nullable(),
    buyer: textAnswer('Who bought; null where nobody said', 'ada').nullable(),
    received_at: momentAnswer('When the event came'),
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
