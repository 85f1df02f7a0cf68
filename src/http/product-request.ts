import { z } from '@hono/zod-openapi';
import { isCurrency, parseMoney } from '../domain/money.ts';
import type { NewProduct } from '../domain/outcomes.ts';
import {
  EXTEND_SECONDS_MAX,
  HOLD_TTL_SECONDS_MAX,
  PAY_TTL_SECONDS_MAX,
} from '../domain/product.ts';
import {
  AMOUNT_MESSAGE,
  CURRENCY_MESSAGE,
  momentField,
  visibleAsciiField,
  whole,
} from './fields.ts';

// 20 items of 10,000 units at this price still add up to a safe integer.
const PRICE_MINOR_MAX = 10_000_000_000;
const UNITS_MAX = 1_000_000_000;

const OBJECT = 'must be a JSON object';
const NAME = 'must be 1 to 200 characters, no control characters among them, and not only spaces';
const WINDOW = 'must be later than starts_at';

const limit = (description: string) =>
  whole(1, UNITS_MAX)
    .nullable()
    .optional()
    .openapi({ description: `${description}; null for no limit`, example: 4 });
const moment = (description: string, example: string) =>
  momentField.nullable().optional().openapi({ description, example });
const ttl = (secondsMax: number, description: string, example: number) =>
  whole(1, secondsMax).optional().openapi({ description, example });

const rules = {
  name: z
    .string(NAME)
    .regex(/^(?=.*\S)[^\p{Cc}\p{Cs}]{1,200}$/u, NAME)
    // The generator would spell the pattern with its flag.
    .openapi({
      description: 'As buyers know it; no control characters, and not only spaces',
      example: 'Aurora desk lamp',
      pattern: '^(?=.*\\S)[^\\p{Cc}\\p{Cs}]{1,200}$',
    }),
  price: z.string(AMOUNT_MESSAGE).openapi({
    description: 'Price of one unit, as a decimal number of `currency`',
    example: '129.00',
  }),
  starts_at: moment('When the sale starts; null for at once', '2026-07-01T12:00:00Z'),
  ends_at: moment('When the sale ends; null for never', '2026-07-01T20:00:00+02:00'),
  max_per_hold: limit('Most units in one hold'),
  max_per_buyer: limit('Most units for one buyer, in holds and orders'),
  hold_ttl_seconds: ttl(HOLD_TTL_SECONDS_MAX, 'Seconds a hold lasts', 120),
  pay_ttl_seconds: ttl(PAY_TTL_SECONDS_MAX, 'Seconds an order awaits its payment', 900),
  extend_seconds: whole(0, EXTEND_SECONDS_MAX).optional().openapi({
    description: 'Seconds by which a buyer may extend a hold, once; 0 for not at all',
    example: 60,
  }),
};

/** What is wrong with a field. */
export interface Wrong {
  field: string;
  message: string;
}

/** Minor units of a price in this currency, or what is wrong with it. */
export function priceMinorOf(price: string, currency: string): number | Wrong {
  const minor = parseMoney(price, currency);
  if (minor === undefined) return { field: 'price', message: AMOUNT_MESSAGE };
  if (minor > PRICE_MINOR_MAX) return { field: 'price', message: 'is too high' };
  return minor;
}

/** What is wrong with a sale's window, if anything. */
export function windowError(startsAtMs: number | null, endsAtMs: number | null): Wrong | undefined {
  if (startsAtMs === null || endsAtMs === null || startsAtMs < endsAtMs) return undefined;
  return { field: 'ends_at', message: WINDOW };
}

const milliseconds = (seconds: number | undefined) =>
  seconds === undefined ? null : seconds * 1000;

/** The body of `POST /api/admin/products`; a `NewProduct` once parsed. */
export function newProductRequest(lanes: number) {
  return z
    .strictObject(
      {
        ...rules,
        currency: z
          .string(CURRENCY_MESSAGE)
          .refine(isCurrency, CURRENCY_MESSAGE)
          .openapi({ description: 'ISO 4217 code', example: 'USD' }),
        total_stock: whole(0, UNITS_MAX).openapi({ description: 'Units on sale', example: 100 }),
        lane: whole(0, lanes - 1)
          .optional()
          .openapi({
            description: 'Number of the partition; the id decides by default',
            example: 0,
          }),
      },
      OBJECT,
    )
    .transform((body, context): NewProduct => {
      const fail = ({ field, message }: Wrong) =>
        context.addIssue({ code: 'custom', path: [field], message });
      const priceMinor = priceMinorOf(body.price, body.currency);
      if (typeof priceMinor === 'object') fail(priceMinor);
      const startsAtMs = body.starts_at ?? null;
      const endsAtMs = body.ends_at ?? null;
      const wrongWindow = windowError(startsAtMs, endsAtMs);
      if (wrongWindow) fail(wrongWindow);
      return {
        name: body.name,
        priceMinor: typeof priceMinor === 'object' ? 0 : priceMinor,
        currency: body.currency,
        totalStock: body.total_stock,
        startsAtMs,
        endsAtMs,
        holdTtlMs: milliseconds(body.hold_ttl_seconds),
        payTtlMs: milliseconds(body.pay_ttl_seconds),
        extendMs: milliseconds(body.extend_seconds) ?? 0,
        maxPerHold: body.max_per_hold ?? null,
        maxPerBuyer: body.max_per_buyer ?? null,
        lane: body.lane ?? null,
      };
    })
    .openapi('NewProduct');
}

/** The body of `PATCH /api/admin/products/{id}`: at least one rule. */
export const rulesPatchRequest = z
  .strictObject({ ...rules, name: rules.name.optional(), price: rules.price.optional() }, OBJECT)
  .refine((patch) => Object.keys(patch).length > 0, {
    error: 'must change something',
    when: ({ issues }) => issues.length === 0,
  })
  .openapi('ProductRules', { minProperties: 1 });

const DELTA = `must be a whole number from -${UNITS_MAX} to ${UNITS_MAX}, and not 0`;

/** The body of `POST /api/admin/products/{id}/stock`. */
export const stockRequest = z
  .strictObject(
    {
      delta: z
        .int(DELTA)
        .min(-UNITS_MAX, DELTA)
        .max(UNITS_MAX, DELTA)
        .refine((delta) => delta !== 0, DELTA)
        .openapi({ description: 'Units to add, or to take away where negative', example: 50 }),
      key: visibleAsciiField.openapi({
        description: 'A repeat with the same key has one effect',
        example: 'delivery-2026-07-01',
      }),
    },
    OBJECT,
  )
  .openapi('StockAdjustment');
