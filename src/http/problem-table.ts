import { z } from '@hono/zod-openapi';
import { countAnswer, momentAnswer, productIdAnswer, textAnswer } from './fields.ts';
import { GUIDE } from './problem-guide.ts';

const product_id = productIdAnswer;
const available = countAnswer('Units that are available', 1);

/** One thing wrong with a request. */
const fieldError = z.object({
  field: textAnswer('Path of the field in the body, or the name of a header', 'items.0.qty'),
  message: textAnswer(
    "What is wrong; reads on after the field's name",
    'must be a whole number from 1 to 10000',
  ),
});

/**
 * Every refusal: its usual HTTP status, its title, and the fields it adds to the problem document.
 *
 * Source: RFC 9457; docs of the codes are the contract of the API.
 */
export const PROBLEMS = {
  bad_request: { status: 400, title: 'Unreadable request', fields: {} },
  malformed_json: { status: 400, title: 'Malformed JSON', fields: {} },
  bad_signature: { status: 400, title: 'Bad signature', fields: {} },
  unauthorized: { status: 401, title: 'Unauthorized', fields: {} },
  not_found: { status: 404, title: 'Not found', fields: {} },
  product_not_found: {
    status: 404,
    title: 'Product not found',
    fields: { product_id: product_id.optional() },
  },
  hold_not_found: { status: 404, title: 'Hold not found', fields: {} },
  order_not_found: { status: 404, title: 'Order not found', fields: {} },
  history_not_found: { status: 404, title: 'History not found', fields: {} },
  dead_letter_not_found: { status: 404, title: 'Dead letter not found', fields: {} },
  sold_out: {
    status: 409,
    title: 'Sold out',
    fields: {
      product_id,
      available,
      retry_after_ms: countAnswer('Milliseconds until units may come back', 1500),
    },
  },
  buyer_limit: {
    status: 409,
    title: 'Buyer limit reached',
    fields: {
      product_id,
      max_per_buyer: countAnswer('Most units for one buyer', 4),
      units: countAnswer('Units that the buyer has, in holds and orders', 4),
    },
  },
  sale_not_started: {
    status: 409,
    title: 'Sale not started',
    fields: { product_id, starts_at: momentAnswer('When the sale starts') },
  },
  sale_ended: {
    status: 409,
    title: 'Sale ended',
    fields: { product_id, ends_at: momentAnswer('When the sale ended') },
  },
  sale_paused: { status: 409, title: 'Sale paused', fields: { product_id } },
  hold_used: {
    status: 409,
    title: 'Hold already turned into an order',
    fields: { order_id: textAnswer('The order it became', 'order_01m822hvg9e008vyg0m5x19ams') },
  },
  extension_not_allowed: { status: 409, title: 'Holds of it cannot be extended', fields: {} },
  order_paid: { status: 409, title: 'Order already paid', fields: {} },
  reference_conflict: { status: 409, title: 'Payment reference conflict', fields: {} },
  insufficient_available: {
    status: 409,
    title: 'Not enough available units',
    fields: { available },
  },
  reconcile_busy: { status: 409, title: 'Another reconciliation is at work', fields: {} },
  still_refused: {
    status: 409,
    title: 'MySQL still does not take it',
    fields: {
      dead_letter: textAnswer('Id of the dead letter that is refused', '0.1-4711.0'),
      reason: textAnswer('Why MySQL does not take it', 'there is no product 1'),
    },
  },
  hold_expired: { status: 410, title: 'Hold expired', fields: {} },
  hold_released: { status: 410, title: 'Hold released', fields: {} },
  order_expired: { status: 410, title: 'Order expired', fields: {} },
  body_too_large: { status: 413, title: 'Body too large', fields: {} },
  unsupported_media_type: { status: 415, title: 'Unsupported media type', fields: {} },
  invalid_request: {
    status: 422,
    title: 'Invalid request',
    fields: {
      errors: z
        .array(fieldError)
        .min(1)
        .openapi({ description: 'One for each field that is wrong' }),
    },
  },
  qty_above_limit: {
    status: 422,
    title: 'Quantity above the limit',
    fields: { product_id, max_per_hold: countAnswer('Most units in one hold', 4) },
  },
  order_not_paid: { status: 409, title: 'Order not paid', fields: {} },
  no_refund_due: { status: 409, title: 'No refund due', fields: {} },
  idempotency_mismatch: {
    status: 422,
    title: 'Idempotency key used for another request',
    fields: {},
  },
  items_in_different_lanes: { status: 422, title: 'Items in different lanes', fields: {} },
  mixed_currencies: { status: 422, title: 'Mixed currencies', fields: {} },
  rate_limited: {
    status: 429,
    title: 'Too many requests',
    fields: { retry_after_ms: countAnswer('Milliseconds to wait', 1000) },
  },
  overloaded: { status: 503, title: 'Overloaded', fields: {} },
  unavailable: {
    status: 503,
    title: 'Unavailable',
    fields: {
      checks: z
        .record(z.string(), z.string())
        .optional()
        .openapi({
          description: 'Only from `/readyz`: what was looked at, and `ok` or what is wrong with it',
          example: { redis: 'ok', mysql: 'unreachable' },
        }),
    },
  },
} as const;

export type ProblemCode = keyof typeof PROBLEMS;

/** The fields that a code adds to its problem document. */
export type ProblemFields<C extends ProblemCode> = z.output<
  z.ZodObject<(typeof PROBLEMS)[C]['fields']>
>;

const pascalCase = (code: string) =>
  code.replace(/(?:^|_)([a-z])/g, (_, first) => first.toUpperCase());

function makeSchema(code: ProblemCode) {
  const { fields, status, title } = PROBLEMS[code];
  return z
    .strictObject({
      type: z.literal(`/problems/${code}`).openapi({ description: 'The code, as a URI' }),
      title: z.literal(title).openapi({ description: 'The code, in words' }),
      status: countAnswer('HTTP status of the answer', status),
      code: z.literal(code).openapi({ description: 'What to tell refusals apart by' }),
      detail: textAnswer('What happened here, for people', GUIDE[code].detail),
      instance: textAnswer('Path of the request', '/api/holds'),
      ...fields,
    })
    .openapi(`${pascalCase(code)}Problem`, { description: GUIDE[code].todo });
}

const schemas = new Map<ProblemCode, ReturnType<typeof makeSchema>>();

/** The schema of a code's problem document, as the OpenAPI document shows it. */
export function problemSchema(code: ProblemCode): ReturnType<typeof makeSchema> {
  const schema = schemas.get(code) ?? makeSchema(code);
  schemas.set(code, schema);
  return schema;
}
