import { createRoute, OpenAPIHono } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { Deadline } from '../../domain/deadline.ts';
import { parseHoldId } from '../../domain/ids.ts';
import type { ExtendOutcome } from '../../domain/outcomes.ts';
import { HOLD_BUDGET_MS } from '../budgets.ts';
import type { AppDeps } from '../deps.ts';
import { type ProblemResponse, problem } from '../problems.ts';
import { refusals } from '../refusals.ts';
import { HOLD_ID_PARAMETER, holdAnswer, holdJson } from '../reservation-answer.ts';
import { unknownHold } from '../unknown.ts';

const extendHold = createRoute({
  method: 'post',
  path: '/api/holds/{hold_id}/extend',
  operationId: 'extendHold',
  summary: 'Keep a hold for longer, once',
  description:
    'By the `extend_seconds` of its product, of several products the smallest, counted from its ' +
    '`expires_at`. A repeat gets the same answer and moves nothing.',
  tags: ['holds'],
  parameters: [HOLD_ID_PARAMETER],
  responses: {
    200: {
      description: 'The hold with its new `expires_at`; it is extended, now or before.',
      content: { 'application/json': { schema: holdAnswer } },
    },
    ...refusals(
      'hold_not_found',
      'hold_used',
      'extension_not_allowed',
      'hold_expired',
      'hold_released',
      'rate_limited',
      'unavailable',
    ),
  },
});

function refuseExtension(
  c: Context,
  outcome: Exclude<ExtendOutcome, { status: 'extended' }>,
): ProblemResponse {
  switch (outcome.status) {
    case 'hold_not_found':
      return unknownHold(c);
    case 'hold_expired':
      return problem(c, 'hold_expired', { detail: 'The hold expired; its units are back.' });
    case 'hold_released':
      return problem(c, 'hold_released', { detail: 'The hold was given back.' });
    case 'hold_used':
      return problem(c, 'hold_used', {
        detail: 'The hold is an order now: it is to be paid until its own deadline.',
        fields: { order_id: outcome.orderId },
      });
    case 'extension_not_allowed':
      return problem(c, 'extension_not_allowed', {
        detail: 'Holds of this product, or of one of these products, cannot be extended.',
      });
  }
}

/** `POST /api/holds/{hold_id}/extend`. */
export function holdExtensionRoutes({ engine }: AppDeps): OpenAPIHono {
  const routes = new OpenAPIHono();

  routes.openapi(extendHold, async (c) => {
    const id = parseHoldId(c.req.param('hold_id'));
    if (!id) return unknownHold(c);
    const outcome = await engine.extend(id, new Deadline(HOLD_BUDGET_MS));
    if (outcome.status !== 'extended') return refuseExtension(c, outcome);
    return c.json(holdJson(outcome.hold), 200);
  });

  return routes;
}
