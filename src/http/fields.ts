import { z } from '@hono/zod-openapi';
import type { Context } from 'hono';

/** `2026-07-01T12:00:00.000Z`, as every time is told. */
export const isoTime = (ms: number): string => new Date(ms).toISOString();

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
export const productIdField = z.int(POSITIVE).min(1, POSITIVE).openapi({ example: 42 });

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

/** Money as answers tell it. */
export const amountField = z.string().openapi({ example: '129.00' });
export const currencyField = z.string().openapi({ example: 'USD' });
export const momentAnswer = z.iso.datetime().openapi({ example: '2026-07-01T12:00:00.000Z' });

export const itemAnswer = z
  .object({ product_id: z.int(), qty: z.int() })
  .openapi('Item', { example: { product_id: 42, qty: 2 } });

/** A product's id from a path, or undefined when the text cannot be one. */
export function productIdOf(text: string): number | undefined {
  if (!/^[1-9]\d{0,15}$/.test(text)) return undefined;
  const id = Number(text);
  return Number.isSafeInteger(id) ? id : undefined;
}

/** A parameter in the path, documented only: a malformed id is an unknown id, hence 404. */
export const pathParameter = (name: string, schema: { type: 'string' | 'integer' }) => ({
  name,
  in: 'path' as const,
  required: true,
  schema,
});

/** `Idempotency-Key`, documented only: a header schema costs a third of a request's CPU. */
export const IDEMPOTENCY_PARAMETER = {
  name: 'Idempotency-Key',
  in: 'header' as const,
  required: false,
  description:
    'The same key with the same content gets the first answer again; with other content it is ' +
    'refused. 1 to 128 visible ASCII characters.',
  schema: { type: 'string' as const, minLength: 1, maxLength: 128, pattern: '^[\\x21-\\x7e]+$' },
};

/** The request's `Idempotency-Key`; '' without one, undefined when it is no valid key. */
export function idempotencyKeyOf(c: Context): string | undefined {
  const key = c.req.header('Idempotency-Key');
  if (key === undefined) return '';
  return /^[\x21-\x7e]{1,128}$/.test(key) ? key : undefined;
}

export const KEY_MESSAGE = VISIBLE_ASCII;
