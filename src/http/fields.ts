import { z } from '@hono/zod-openapi';
import type { Context } from 'hono';

// Holds that are granted together end together.
let lastTime = { ms: 0, text: '1970-01-01T00:00:00.000Z' };

/** `2026-07-01T12:00:00.000Z`, as every time is told. */
export function isoTime(ms: number): string {
  if (lastTime.ms !== ms) lastTime = { ms, text: new Date(ms).toISOString() };
  return lastTime.text;
}

/** The same, where there may be none. */
export const isoTimeOrNull = (ms: number | null): string | null =>
  ms === null ? null : isoTime(ms);

/** A whole number of a request. */
export function whole(min: number, max: number) {
  const message = `must be a whole number from ${min} to ${max}`;
  return z.int(message).min(min, message).max(max, message);
}

const POSITIVE = 'must be a positive whole number';

/** A product's id in a request. */
export const productIdField = z
  .int(POSITIVE)
  .min(1, POSITIVE)
  .openapi({ description: 'Id of the product', example: 1 });

const VISIBLE_ASCII = 'must be 1 to 128 visible ASCII characters, without spaces';

/** A text that other systems choose: a payment's reference, the key of a stock adjustment. */
export const visibleAsciiField = z
  .string(VISIBLE_ASCII)
  .regex(/^[\x21-\x7e]{1,128}$/, VISIBLE_ASCII);

const BUYER = 'must be 1 to 64 letters, digits or any of _ . : @ -';

/** Who buys, as the shop names them. */
export const buyerField = z.string(BUYER).regex(/^[A-Za-z0-9_.:@-]{1,64}$/, BUYER);

// As far as `DATETIME` and four-digit years reach.
const LAST_MOMENT_MS = Date.UTC(9999, 11, 31, 23, 59, 59, 999);
const MOMENT = 'must be an ISO-8601 time with its offset, such as 2026-07-01T12:00:00.000Z';

/** A moment of a request; milliseconds since 1970 once parsed. */
export const momentField = z.iso
  .datetime({ offset: true, error: MOMENT })
  .transform((text, context) => {
    const ms = Date.parse(text);
    if (ms >= 0 && ms <= LAST_MOMENT_MS) return ms;
    context.addIssue({ code: 'custom', message: MOMENT });
    return z.NEVER;
  });

/** A text of an answer. */
export const textAnswer = (description: string, example: string) =>
  z.string().openapi({ description, example });

/** A whole number of an answer; `description` says of what, and so its unit. */
export const countAnswer = (description: string, example = 0) =>
  z.int().openapi({ description, example });

/** A time of an answer; `description` says of what. */
export const momentAnswer = (description: string, example = '2026-07-01T12:00:00.000Z') =>
  z.iso.datetime().openapi({ description: `${description} (UTC)`, example });

export const AMOUNT_MESSAGE =
  'must be a decimal text such as "129.00", with no more digits than the currency has';
export const CURRENCY_MESSAGE = 'must be the ISO 4217 code of a currency, such as USD';

/** Money as answers tell it; `what` it is stands before the unit. */
export const amountAnswer = (what: string, example = '258.00') =>
  textAnswer(`${what}, as a decimal number of \`currency\``, example);
export const currencyAnswer = textAnswer('ISO 4217 code', 'USD');

export const productIdAnswer = countAnswer('Id of the product', 1);
export const qtyAnswer = countAnswer('Units of the product', 2);

export const itemAnswer = z
  .object({ product_id: productIdAnswer, qty: qtyAnswer })
  .openapi('Item', { description: 'Units of one product' });

/** A product's id from a path, or undefined when the text cannot be one. */
export function productIdOf(text: string): number | undefined {
  if (!/^[1-9]\d{0,15}$/.test(text)) return undefined;
  const id = Number(text);
  return Number.isSafeInteger(id) ? id : undefined;
}

/** A parameter in the path, documented only: a malformed id is an unknown id, hence 404. */
export const pathParameter = (name: string, description: string, example: string | number) => ({
  name,
  in: 'path' as const,
  required: true,
  description,
  example,
  schema: { type: typeof example === 'number' ? ('integer' as const) : ('string' as const) },
});

export const PRODUCT_ID_PARAMETER = pathParameter('id', 'Id of the product', 1);

/** `Location`, documented only. */
export const locationHeader = (description: string, example: string) => ({
  Location: { description, example, schema: { type: 'string' as const } },
});

/** `Idempotency-Key`, documented only: a header schema costs a third of a request's CPU. */
export const IDEMPOTENCY_PARAMETER = {
  name: 'Idempotency-Key',
  in: 'header' as const,
  required: false,
  description:
    'The same key with the same content gets the first answer again; with other content it is ' +
    'refused. 1 to 128 visible ASCII characters, such as a UUID.',
  example: 'checkout-4711',
  schema: { type: 'string' as const, minLength: 1, maxLength: 128, pattern: '^[\\x21-\\x7e]+$' },
};

/** The request's `Idempotency-Key`; '' without one, undefined when it is no valid key. */
export function idempotencyKeyOf(c: Context): string | undefined {
  const key = c.req.header('Idempotency-Key');
  if (key === undefined) return '';
  return /^[\x21-\x7e]{1,128}$/.test(key) ? key : undefined;
}

export const KEY_MESSAGE = VISIBLE_ASCII;
