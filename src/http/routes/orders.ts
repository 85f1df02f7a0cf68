import { createRoute, OpenAPIHono, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { Deadline } from '../../domain/deadline.ts';
import { parseHoldId, parseOrderId } from '../../domain/ids.ts';
import type { CancelOutcome, OrderOutcome } from '../../domain/outcomes.ts';
import { COMMIT_BUDGET_MS, HOLD_BUDGET_MS } from '../budgets.ts';
import { created } from '../created.ts';
import type { AppDeps } from '../deps.ts';
import { IDEMPOTENCY_PARAMETER, idempotencyKeyOf, KEY_MESSAGE, locationHeader } from '../fields.ts';
import { invalid, type ProblemResponse, problem } from '../problems.ts';
import { BODY_REFUSALS, refusals } from '../refusals.ts';
import {
  ORDER_ID_PARAMETER,
  orderAnswer,
  orderDetailsAnswer,
  orderDetailsJson,
  orderJson,
} from '../reservation-answer.ts';
import { unknownHold, unknownOrder } from '../unknown.ts';

const orderRequest = z
  .object(
    {
      hold_id: z
        .string('must be the id of a hold')
        .openapi({ description: 'Id of the hold', example: 'hold_01m822hvg9e008vyg0m5x19ams' }),
    },
    'must be a JSON object',
  )
  .openapi('OrderRequest');

const makeOrder = createRoute({
  method: 'post',
  path: '/api/orders',
  operationId: 'makeOrder',
  summary: 'Turn a hold into an order, to be paid until `pay_by`',
  description:
    'Answers once the order is committed in MySQL. A hold becomes one order at most: a repeat with ' +
    'the same `Idempotency-Key` gets it again, any other gets `hold_used` with its id.',
  tags: ['orders'],
  parameters: [IDEMPOTENCY_PARAMETER],
  request: {
    body: { required: true, content: { 'application/json': { schema: orderRequest } } },
  },
  responses: {
    201: {
      description: 'The order is made, and stored durably.',
      headers: locationHeader('Of the order', '/api/orders/order_01m822hvg9e008vyg0m5x19ams'),
      content: { 'application/json': { schema: orderAnswer } },
    },
    ...refusals(
      'hold_not_found',
      'hold_used',
      'hold_expired',
      'hold_released',
      'idempotency_mismatch',
      'rate_limited',
      'unavailable',
      'overloaded',
      ...BODY_REFUSALS,
    ),
  },
});

const readOrder = createRoute({
  method: 'get',
  path: '/api/orders/{order_id}',
  operationId: 'readOrder',
  summary: 'One order, and the payment that settled it',
  description: 'As committed in MySQL, with the payment event that settled it, however long ago.',
  tags: ['orders'],
  parameters: [ORDER_ID_PARAMETER],
  responses: {
    200: {
      description: 'The order',
      content: { 'application/json': { schema: orderDetailsAnswer } },
    },
    ...refusals('order_not_found', 'rate_limited', 'unavailable'),
  },
});

const cancelOrder = createRoute({
  method: 'delete',
  path: '/api/orders/{order_id}',
  operationId: 'cancelOrder',
  summary: 'Cancel an order that awaits payment',
  description: 'Its units are back at once. Repeating it changes nothing.',
  tags: ['orders'],
  parameters: [ORDER_ID_PARAMETER],
  responses: {
    200: {
      description: 'The order is cancelled, now or before, and its units are back.',
      content: { 'application/json': { schema: orderDetailsAnswer } },
    },
    ...refusals(
      'order_not_found',
      'order_paid',
      'order_expired',
      'rate_limited',
      'unavailable',
      'overloaded',
    ),
  },
});

function refuseOrder(
  c: Context,
  outcome: Exclude<OrderOutcome, { status: 'ordered' }>,
): ProblemResponse {
  switch (outcome.status) {
    case 'idempotency_mismatch':
      return problem(c, 'idempotency_mismatch', {
        detail: 'This Idempotency-Key was used for an order of another hold.',
      });
    case 'hold_not_found':
      return unknownHold(c);
    case 'hold_expired':
      return problem(c, 'hold_expired', { detail: 'The hold expired; its units are back.' });
    case 'hold_released':
      return problem(c, 'hold_released', { detail: 'The hold was given back.' });
    case 'hold_used':
      return problem(c, 'hold_used', {
        detail: 'The hold is an order already.',
        fields: { order_id: outcome.orderId },
      });
  }
}

function refuseCancel(
  c: Context,
  outcome: Exclude<CancelOutcome, { status: 'cancelled' }>,
): ProblemResponse {
  switch (outcome.status) {
    case 'order_not_found':
      return unknownOrder(c);
    case 'order_expired':
      return problem(c, 'order_expired', { detail: 'The order was not paid in time.' });
    case 'order_paid':
      return problem(c, 'order_paid', { detail: 'The order is paid, and cannot be cancelled.' });
  }
}

export function orderRoutes({ engine }: AppDeps): OpenAPIHono {
  const routes = new OpenAPIHono();

  routes.openapi(makeOrder, async (c) => {
    const key = idempotencyKeyOf(c);
    if (key === undefined) return invalid(c, 'Idempotency-Key', KEY_MESSAGE);
    const id = parseHoldId(c.req.valid('json').hold_id);
    if (!id) return unknownHold(c);
    const outcome = await engine.order(id, key, new Deadline(COMMIT_BUDGET_MS));
    if (outcome.status !== 'ordered') return refuseOrder(c, outcome);
    const order = orderJson(outcome.order);
    return created(order, `/api/orders/${order.order_id}`);
  });

  routes.openapi(readOrder, async (c) => {
    const id = parseOrderId(c.req.param('order_id'));
    const order = id && (await engine.readOrder(id, new Deadline(HOLD_BUDGET_MS)));
    return order ? c.json(orderDetailsJson(order), 200) : unknownOrder(c);
  });

  routes.openapi(cancelOrder, async (c) => {
    const id = parseOrderId(c.req.param('order_id'));
    if (!id) return unknownOrder(c);
    const outcome = await engine.cancel(id, new Deadline(COMMIT_BUDGET_MS));
    if (outcome.status !== 'cancelled') return refuseCancel(c, outcome);
    return c.json(orderDetailsJson(outcome.order), 200);
  });

  return routes;
}
