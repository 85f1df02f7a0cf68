import { createRoute, OpenAPIHono } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { Deadline } from '../../domain/deadline.ts';
import { parseHoldId } from '../../domain/ids.ts';
import type { HoldOutcome, ReleaseOutcome } from '../../domain/outcomes.ts';
import { HOLD_BUDGET_MS } from '../budgets.ts';
import { created } from '../created.ts';
import type { AppDeps } from '../deps.ts';
import {
  IDEMPOTENCY_PARAMETER,
  idempotencyKeyOf,
  isoTime,
  KEY_MESSAGE,
  locationHeader,
} from '../fields.ts';
import { holdRequest } from '../hold-request.ts';
import { invalid, type ProblemResponse, problem, retryAfter } from '../problems.ts';
import { limitBuyers } from '../rate-limit.ts';
import { BODY_REFUSALS, refusals } from '../refusals.ts';
import { HOLD_ID_PARAMETER, holdAnswer, holdJson } from '../reservation-answer.ts';
import { unknownHold } from '../unknown.ts';

const takeHold = createRoute({
  method: 'post',
  path: '/api/holds',
  operationId: 'takeHold',
  summary: 'Hold units until `expires_at`',
  description:
    'All that is asked for, or nothing. Send an `Idempotency-Key`, so that a repeat after a lost ' +
    'answer takes no second hold: it gets the first answer, also once the hold was extended or has ' +
    'ended. How it is now, `GET` tells.',
  tags: ['holds'],
  parameters: [IDEMPOTENCY_PARAMETER],
  request: {
    body: { required: true, content: { 'application/json': { schema: holdRequest } } },
  },
  responses: {
    201: {
      description: 'The units are held.',
      headers: locationHeader('Of the hold', '/api/holds/hold_01m822hvg9e008vyg0m5x19ams'),
      content: { 'application/json': { schema: holdAnswer } },
    },
    ...refusals(
      'product_not_found',
      'sold_out',
      'buyer_limit',
      'sale_not_started',
      'sale_ended',
      'sale_paused',
      'qty_above_limit',
      'idempotency_mismatch',
      'items_in_different_lanes',
      'mixed_currencies',
      'rate_limited',
      'unavailable',
      'overloaded',
      ...BODY_REFUSALS,
    ),
  },
});

const readHold = createRoute({
  method: 'get',
  path: '/api/holds/{hold_id}',
  operationId: 'readHold',
  summary: 'One hold',
  description: 'Also once it is over: then its `status` says what became of it.',
  tags: ['holds'],
  parameters: [HOLD_ID_PARAMETER],
  responses: {
    200: { description: 'The hold', content: { 'application/json': { schema: holdAnswer } } },
    ...refusals('hold_not_found', 'rate_limited', 'unavailable'),
  },
});

const releaseHold = createRoute({
  method: 'delete',
  path: '/api/holds/{hold_id}',
  operationId: 'releaseHold',
  summary: 'Give the units of a hold back',
  description: 'At once, for the next buyer. Repeating it changes nothing.',
  tags: ['holds'],
  parameters: [HOLD_ID_PARAMETER],
  responses: {
    200: {
      description: 'The hold is released, now or before.',
      content: { 'application/json': { schema: holdAnswer } },
    },
    ...refusals('hold_not_found', 'hold_used', 'hold_expired', 'rate_limited', 'unavailable'),
  },
});

/** How soon buyers of a paused sale may come back. */
const PAUSED_RETRY_MS = 5_000;

type HoldRefusal = Exclude<HoldOutcome, { status: 'held' }>;
type SaleRefusal = Extract<
  HoldRefusal,
  { status: 'sale_paused' | 'sale_not_started' | 'sale_ended' }
>;
type UnitsRefusal = Extract<
  HoldRefusal,
  { status: 'qty_above_limit' | 'buyer_limit' | 'sold_out' }
>;

function refuseForSale(c: Context, outcome: SaleRefusal, nowMs: number): ProblemResponse {
  const product_id = outcome.productId;
  switch (outcome.status) {
    case 'sale_paused': {
      const detail = `The sale of product ${product_id} is paused.`;
      // Nobody knows for how long.
      const headers = retryAfter(PAUSED_RETRY_MS);
      return problem(c, 'sale_paused', { detail, fields: { product_id }, headers });
    }
    case 'sale_not_started': {
      const starts_at = isoTime(outcome.startsAtMs);
      return problem(c, 'sale_not_started', {
        detail: `The sale of product ${product_id} starts at ${starts_at}.`,
        fields: { product_id, starts_at },
        headers: retryAfter(outcome.startsAtMs - nowMs),
      });
    }
    case 'sale_ended': {
      const ends_at = isoTime(outcome.endsAtMs);
      const detail = `The sale of product ${product_id} ended at ${ends_at}.`;
      return problem(c, 'sale_ended', { detail, fields: { product_id, ends_at } });
    }
  }
}

function refuseForUnits(c: Context, outcome: UnitsRefusal): ProblemResponse {
  const product_id = outcome.productId;
  switch (outcome.status) {
    case 'qty_above_limit': {
      const max_per_hold = outcome.maxPerHold;
      const detail = `One hold may have up to ${max_per_hold} units of product ${product_id}.`;
      return problem(c, 'qty_above_limit', { detail, fields: { product_id, max_per_hold } });
    }
    case 'buyer_limit': {
      const { units, maxPerBuyer: max_per_buyer } = outcome;
      return problem(c, 'buyer_limit', {
        detail: `This buyer has ${units} of at most ${max_per_buyer} units of product ${product_id}.`,
        fields: { product_id, max_per_buyer, units },
      });
    }
    case 'sold_out': {
      const { available } = outcome;
      const retry_after_ms = Math.max(0, outcome.retryAfterMs);
      return problem(c, 'sold_out', {
        detail: `Product ${product_id} has ${available} units available.`,
        fields: { product_id, available, retry_after_ms },
        headers: retryAfter(retry_after_ms),
      });
    }
  }
}

function refuseHold(c: Context, outcome: HoldRefusal, nowMs: number): ProblemResponse {
  switch (outcome.status) {
    case 'idempotency_mismatch':
      return problem(c, 'idempotency_mismatch', {
        detail: 'This Idempotency-Key was used for a hold of other content.',
      });
    case 'overloaded':
      return problem(c, 'overloaded', {
        detail: 'Too much waits to be stored. Nothing new was held: try again.',
      });
    case 'product_not_found': {
      const { productId } = outcome;
      const detail = `There is no product ${productId}.`;
      return problem(c, 'product_not_found', { detail, fields: { product_id: productId } });
    }
    case 'items_in_different_lanes':
      return problem(c, 'items_in_different_lanes', {
        detail: 'These products cannot be held together: take a hold for each.',
      });
    case 'mixed_currencies':
      return problem(c, 'mixed_currencies', {
        detail: 'These products are sold in different currencies: take a hold for each.',
      });
    case 'buyer_required':
      return invalid(c, 'buyer', `is required for product ${outcome.productId}`);
    case 'sale_paused':
    case 'sale_not_started':
    case 'sale_ended':
      return refuseForSale(c, outcome, nowMs);
    case 'qty_above_limit':
    case 'buyer_limit':
    case 'sold_out':
      return refuseForUnits(c, outcome);
  }
}

function refuseRelease(
  c: Context,
  outcome: Exclude<ReleaseOutcome, { status: 'released' }>,
): ProblemResponse {
  switch (outcome.status) {
    case 'hold_not_found':
      return unknownHold(c);
    case 'hold_expired':
      return problem(c, 'hold_expired', { detail: 'The hold expired; its units are back.' });
    case 'hold_used':
      return problem(c, 'hold_used', {
        detail: 'The hold is an order now: cancel that instead.',
        fields: { order_id: outcome.orderId },
      });
  }
}

export function holdRoutes({ engine, limit }: AppDeps): OpenAPIHono {
  const routes = new OpenAPIHono();
  const refuseBuyer = limit?.by === 'buyer' ? limitBuyers(limit) : undefined;

  routes.openapi(takeHold, async (c) => {
    const key = idempotencyKeyOf(c);
    if (key === undefined) return invalid(c, 'Idempotency-Key', KEY_MESSAGE);
    const { items, buyer } = c.req.valid('json');
    const tooMany = refuseBuyer && (await refuseBuyer(c, buyer));
    if (tooMany) return tooMany;
    const outcome = await engine.hold({ items, buyer, key }, new Deadline(HOLD_BUDGET_MS));
    if (outcome.status !== 'held') return refuseHold(c, outcome, engine.nowMs());
    const hold = holdJson(outcome.hold);
    return created(hold, `/api/holds/${hold.hold_id}`);
  });

  routes.openapi(readHold, async (c) => {
    const id = parseHoldId(c.req.param('hold_id'));
    const hold = id && (await engine.readHold(id, new Deadline(HOLD_BUDGET_MS)));
    return hold ? c.json(holdJson(hold), 200) : unknownHold(c);
  });

  routes.openapi(releaseHold, async (c) => {
    const id = parseHoldId(c.req.param('hold_id'));
    if (!id) return unknownHold(c);
    const outcome = await engine.release(id, new Deadline(HOLD_BUDGET_MS));
    if (outcome.status !== 'released') return refuseRelease(c, outcome);
    return c.json(holdJson(outcome.hold), 200);
  });

  return routes;
}
