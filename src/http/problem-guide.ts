import type { ProblemCode } from './problem-table.ts';

/** What a refusal says in an example, and what its reader is to do about it. */
interface Guide {
  detail: string;
  todo: string;
}

const RETRY = 'Send it again after `Retry-After`, with the same `Idempotency-Key` if it has one.';
const SEPARATE = 'Take a hold for each of the products.';

/** Every refusal, as the OpenAPI document and `/docs` explain it. */
export const GUIDE: Record<ProblemCode, Guide> = {
  bad_request: {
    detail: 'The request target or Host is not readable.',
    todo: 'Mend the client: what it sends is no HTTP request.',
  },
  malformed_json: { detail: 'The body is not valid JSON.', todo: 'Send valid JSON.' },
  bad_signature: {
    detail: 'The signature is missing, of another secret or body, or over five minutes old.',
    todo: 'Sign the raw body with the secret that is set here, at the time of sending.',
  },
  unauthorized: {
    detail: 'Send the admin token as a bearer token in Authorization.',
    todo: 'Send `Authorization: Bearer <ADMIN_TOKEN>`.',
  },
  not_found: {
    detail: 'There is no GET at this path.',
    todo:
      'Look for the call in this document. Without `ADMIN_TOKEN` there is no `/api/admin`; where only ' +
      'the other webhook has a secret, there is no such webhook.',
  },
  product_not_found: { detail: 'There is no product 1.', todo: 'Ask for the list of products.' },
  hold_not_found: { detail: 'There is no such hold.', todo: 'Take a new hold.' },
  order_not_found: {
    detail: 'There is no such order.',
    todo:
      'Look at the id. A webhook may be early: its event is kept, and applied once the order ' +
      'appears; go on sending it.',
  },
  history_not_found: {
    detail: 'No hold, order or payment in MySQL has this id.',
    todo: 'Look at the id; what happened just now may not be committed yet.',
  },
  dead_letter_not_found: {
    detail: 'There is no such dead letter.',
    todo: 'Ask for the list of dead letters.',
  },
  sold_out: {
    detail: 'Product 1 has 1 units available.',
    todo: 'Ask for no more than `available`, or again after `retry_after_ms`: holds run out.',
  },
  buyer_limit: {
    detail: 'This buyer has 4 of at most 4 units of product 1.',
    todo: 'Ask for no more than `max_per_buyer` less `units`.',
  },
  sale_not_started: {
    detail: 'The sale of product 1 starts at 2026-07-01T12:00:00.000Z.',
    todo: 'Ask again at `starts_at`.',
  },
  sale_ended: {
    detail: 'The sale of product 1 ended at 2026-07-01T12:00:00.000Z.',
    todo: 'Nothing: the sale is over.',
  },
  sale_paused: {
    detail: 'The sale of product 1 is paused.',
    todo: 'Ask again later, or look at the `status` of the product.',
  },
  hold_used: {
    detail: 'The hold is an order already.',
    todo: 'Go on with the order `order_id`; to give its units back, cancel it.',
  },
  extension_not_allowed: {
    detail: 'Holds of product 1 cannot be extended.',
    todo: 'Order before `expires_at`; only products with `extend_seconds` allow more.',
  },
  order_not_paid: {
    detail: 'There is no such payment yet. The refund is kept, and applied if it appears.',
    todo:
      'A webhook may be early: go on sending it. To people: only a paid order can be refunded; look ' +
      'at its `status`.',
  },
  no_refund_due: {
    detail: 'No money was due back on this order. A paid order is refunded by /refund.',
    todo: 'Ask for the list of refunds.',
  },
  rate_limited: {
    detail: 'Too many requests of one client.',
    todo: 'Send it again after `Retry-After`, and fewer from then on.',
  },
  order_paid: {
    detail: 'The order is paid, and cannot be cancelled.',
    todo: 'Nothing: the units are sold.',
  },
  reference_conflict: {
    detail: 'This reference was used for another order or another status.',
    todo: 'Send each payment event with a `reference` of its own.',
  },
  insufficient_available: {
    detail: 'Only 1 units are available; others are held or sold.',
    todo: 'Take no more than `available` away, or pause the product and wait for holds to run out.',
  },
  reconcile_busy: {
    detail: 'Try again once it is done.',
    todo: 'Wait for the one at work, and look at the list of reconciliations.',
  },
  still_refused: {
    detail: 'MySQL still does not take 0.1-4711.0, and nothing was written: no product 1',
    todo: 'Remove what `reason` tells, and replay it again.',
  },
  hold_expired: {
    detail: 'The hold expired; its units are back.',
    todo: 'Take a new hold.',
  },
  hold_released: { detail: 'The hold was given back.', todo: 'Take a new hold.' },
  order_expired: {
    detail: 'The order was not paid in time.',
    todo: 'Nothing: its units are back already.',
  },
  body_too_large: {
    detail: 'A body may have up to 65536 bytes.',
    todo: 'Send less.',
  },
  unsupported_media_type: {
    detail: 'Send the body as application/json, and say so in Content-Type.',
    todo: 'Send `Content-Type: application/json`.',
  },
  invalid_request: {
    detail: 'qty must be a whole number from 1 to 10000',
    todo: 'Correct each field of `errors`.',
  },
  qty_above_limit: {
    detail: 'At most 4 units of product 1 fit into one hold.',
    todo: 'Ask for no more than `max_per_hold`.',
  },
  idempotency_mismatch: {
    detail: 'This Idempotency-Key was used for a hold of other content.',
    todo: 'Use a new key for each new request, and the same one only to repeat it.',
  },
  items_in_different_lanes: {
    detail: 'These products cannot be held together: take a hold for each.',
    todo: SEPARATE,
  },
  mixed_currencies: {
    detail: 'These products are sold in different currencies: take a hold for each.',
    todo: SEPARATE,
  },
  overloaded: {
    detail: 'Too much waits to be stored. Nothing new was done: try again.',
    todo: RETRY,
  },
  unavailable: {
    detail:
      'This could not be done, or is not known to be done. Try again; a repeat with the same ' +
      'Idempotency-Key takes effect once.',
    todo: RETRY,
  },
};
