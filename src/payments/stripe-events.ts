import { z } from 'zod';
import { parseOrderId } from '../domain/ids.ts';
import { isCurrency, minorDigits } from '../domain/money.ts';
import type { Money, PaymentEvent, PaymentStatus } from '../domain/outcomes.ts';

// Fields of Stripe's objects that matter here; there are many more.

const id = z.string().min(1).max(128);
/** An id, or the object itself where Stripe was asked to expand it. */
const reference = z.union([id, z.object({ id }).transform((object) => object.id)]).nullish();

const object = z.object({
  id,
  currency: z.string().length(3).nullish(),
  metadata: z
    .object({ order_id: z.string().optional(), return_units: z.string().optional() })
    .nullish(),
  payment_intent: reference,
  amount_received: z.int().nonnegative().optional(),
  amount_refunded: z.int().nonnegative().optional(),
  amount_total: z.int().nonnegative().nullish(),
  payment_status: z.string().optional(),
});

/** An event as Stripe sends it. */
export const stripeEvent = z.object({
  id: id.regex(/^[\x21-\x7e]+$/, 'must be visible ASCII'),
  type: z.string(),
  data: z.object({ object: z.unknown() }),
});
export type StripeEvent = z.output<typeof stripeEvent>;
type StripeObject = z.output<typeof object>;

/** What an event comes to: a payment event, or why it is none of an order here. */
export type StripeMeaning =
  | { kind: 'payment'; event: PaymentEvent }
  | { kind: 'none'; reason: string }
  /** Not as Stripe documents it: to be sent again once this is mended. */
  | { kind: 'unreadable'; message: string };

/**
 * How many digits the minor unit of a currency has at Stripe, which is not always what others say.
 *
 * Source: https://docs.stripe.com/currencies (zero-decimal, three-decimal and special cases)
 */
const NO_DIGITS = 'BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF'.split(' ');
const THREE_DIGITS = 'BHD JOD KWD OMR TND'.split(' ');

function stripeDigits(code: string): number {
  if (NO_DIGITS.includes(code)) return 0;
  return THREE_DIGITS.includes(code) ? 3 : 2;
}

/** Money as Stripe tells it, or undefined where it does not. */
export function stripeMoney(
  amount: number | null | undefined,
  currency: string | null | undefined,
): Money | undefined {
  if (typeof amount !== 'number' || typeof currency !== 'string') return undefined;
  const code = currency.toUpperCase();
  if (!isCurrency(code)) return undefined;
  const amountMinor = amount * 10 ** (minorDigits(code) - stripeDigits(code));
  return { amountMinor: Math.round(amountMinor), currency: code };
}

interface Meant {
  status: PaymentStatus;
  amount?: number | null | undefined;
  payment?: string | null | undefined;
}

function meantBy(type: string, it: StripeObject): Meant | string {
  switch (type) {
    case 'payment_intent.succeeded':
      return { status: 'success', amount: it.amount_received, payment: it.id };
    case 'payment_intent.payment_failed':
      return { status: 'failed', payment: it.id };
    case 'checkout.session.completed':
      // Money that is still on its way has events of its own.
      if (it.payment_status === 'unpaid') return 'the session is completed, and not paid yet';
      return { status: 'success', amount: it.amount_total, payment: it.payment_intent };
    case 'checkout.session.async_payment_succeeded':
      return { status: 'success', amount: it.amount_total, payment: it.payment_intent };
    case 'checkout.session.async_payment_failed':
    case 'checkout.session.expired':
      return { status: 'failed', payment: it.payment_intent };
    case 'charge.refunded':
      return { status: 'refunded', amount: it.amount_refunded, payment: it.payment_intent };
    default:
      return `events of type ${type} are not asked for`;
  }
}

/**
 * What one of Stripe's events says of an order: the order is named by `metadata.order_id`, and a
 * refund gives the units back where `metadata.return_units` is `true`. Several events of one payment
 * share its PaymentIntent.
 */
export function meaningOf({ id: reference, type, data }: StripeEvent): StripeMeaning {
  const read = object.safeParse(data.object);
  const meant = meantBy(type, read.success ? read.data : { id: '' });
  if (typeof meant === 'string') return { kind: 'none', reason: meant };
  if (!read.success) {
    const [issue] = read.error.issues;
    const field = issue?.path.map(String).join('.');
    return {
      kind: 'unreadable',
      message: `is not as documented by Stripe: ${field} ${issue?.message}`,
    };
  }
  const { metadata, currency } = read.data;
  const orderId = metadata?.order_id;
  // Others may use the same account, and that name.
  if (!orderId || !parseOrderId(orderId)) {
    return { kind: 'none', reason: 'metadata.order_id names no order' };
  }
  const { status, amount, payment } = meant;
  const money = stripeMoney(amount, currency);
  const returnsUnits = status === 'refunded' && metadata?.return_units === 'true';
  const event = { orderId, reference, status, money, payment: payment ?? undefined, returnsUnits };
  return { kind: 'payment', event };
}
