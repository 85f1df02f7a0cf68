import { z } from '@hono/zod-openapi';
import { formatMoney } from '../domain/money.ts';
import { type Product, saleStatus } from '../domain/product.ts';
import {
  amountAnswer,
  countAnswer,
  currencyAnswer,
  isoTimeOrNull,
  momentAnswer,
  productIdAnswer,
  textAnswer,
} from './fields.ts';

const units = (description: string, example: number) => countAnswer(description, example).min(0);
const limit = (description: string) =>
  countAnswer(`${description}; null for no limit`, 4).min(1).nullable();

/** A product as buyers see it. */
export const productAnswer = z
  .object({
    id: productIdAnswer,
    name: textAnswer('As buyers know it', 'Aurora desk lamp'),
    price: amountAnswer('Price of one unit', '129.00'),
    currency: currencyAnswer,
    total_stock: units('All units of the sale, wherever they are', 100),
    available_stock: units('Units that can be held now', 90),
    held: units('Units in holds', 4),
    pending: units('Units in orders that await their payment', 3),
    sold: units('Units in paid orders', 3),
    status: z.enum(['scheduled', 'active', 'paused', 'ended']).openapi({
      description: 'Whether holds are granted: only while `active`',
      example: 'active',
    }),
    starts_at: momentAnswer('When the sale starts; null for at once').nullable(),
    ends_at: momentAnswer(
      'When the sale ends; null for never',
      '2026-07-01T18:00:00.000Z',
    ).nullable(),
    max_per_hold: limit('Most units in one hold'),
    max_per_buyer: limit('Most units for one buyer, in holds and orders'),
    extend_seconds: countAnswer(
      'Seconds by which a hold can be extended, once; 0 for not at all',
      60,
    ),
  })
  .openapi('Product', {
    description: 'Units: `total_stock = available_stock + held + pending + sold`.',
  });

/** A product as the shop's own people see it. */
export const adminProductAnswer = productAnswer
  .extend({
    hold_ttl_seconds: z.number().openapi({ description: 'Seconds a hold lasts', example: 120 }),
    pay_ttl_seconds: z
      .number()
      .openapi({ description: 'Seconds an order awaits its payment', example: 900 }),
    lane: countAnswer('Number of the partition that the product is in'),
  })
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
