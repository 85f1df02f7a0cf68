import { z } from '@hono/zod-openapi';
import { formatMoney } from '../domain/money.ts';
import { type Product, saleStatus } from '../domain/product.ts';
import { amountField, currencyField, isoTimeOrNull, momentAnswer } from './fields.ts';

const units = z.int().min(0);
const limit = z.int().min(1).nullable();

/** A product as buyers see it. */
export const productAnswer = z
  .object({
    id: z.int(),
    name: z.string(),
    price: amountField,
    currency: currencyField,
    total_stock: units,
    available_stock: units,
    held: units,
    pending: units,
    sold: units,
    status: z.enum(['scheduled', 'active', 'paused', 'ended']),
    starts_at: momentAnswer.nullable(),
    ends_at: momentAnswer.nullable(),
    max_per_hold: limit,
    max_per_buyer: limit,
    extend_seconds: z.number().openapi({
      description: 'By how much a hold can be extended, once; 0 for not at all',
    }),
  })
  .openapi('Product', {
    description: 'Units: `total_stock = available_stock + held + pending + sold`.',
  });

/** A product as the shop's own people see it. */
export const adminProductAnswer = productAnswer
  .extend({ hold_ttl_seconds: z.number(), pay_ttl_seconds: z.number(), lane: z.int() })
  .openapi('AdminProduct');

/** The product as JSON; `nowMs` is Redis time. */
export function productJson(product: Product, nowMs: number): z.output<typeof productAnswer> {
  return {
    id: product.id,
    name: product.name,
    price: formatMoney(product.priceMinor, product.currency),
    currency: product.currency,
    total_stock: product.total,
    available_stock: product.available,
    held: product.held,
    pending: product.pending,
    sold: product.sold,
    status: saleStatus(product, nowMs),
    starts_at: isoTimeOrNull(product.startsAtMs),
    ends_at: isoTimeOrNull(product.endsAtMs),
    max_per_hold: product.maxPerHold,
    max_per_buyer: product.maxPerBuyer,
    extend_seconds: product.extendMs / 1000,
  };
}

/** The same, with what only ops need. */
export function adminProductJson(
  product: Product,
  nowMs: number,
): z.output<typeof adminProductAnswer> {
  return {
    ...productJson(product, nowMs),
    hold_ttl_seconds: product.holdTtlMs / 1000,
    pay_ttl_seconds: product.payTtlMs / 1000,
    lane: product.lane,
  };
}
