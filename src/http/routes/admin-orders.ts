import { createRoute, OpenAPIHono } from '@hono/zod-openapi';
import { Deadline } from '../../domain/deadline.ts';
import { COMMIT_BUDGET_MS } from '../budgets.ts';
import type { AppDeps } from '../deps.ts';
import { orderListAnswer, orderListJson } from '../order-list-answer.ts';
import { orderListOf, orderListRequest } from '../order-list-request.ts';
import { refusals } from '../refusals.ts';
import { ADMIN, ADMIN_REFUSALS } from './admin-route.ts';

const listOrders = createRoute({
  ...ADMIN,
  method: 'get',
  path: '/api/admin/orders',
  operationId: 'listOrders',
  summary: 'Orders by status, product, buyer and time, the newest first',
  description:
    'Page by page: go on with `after` set to `next` until that is null. A page can be short, even ' +
    'empty, before that, where few of many orders are asked for. Orders are listed by the moment ' +
    'their holds were made. `refunded` also lists those whose units are sold again.',
  request: { query: orderListRequest },
  responses: {
    200: {
      description: 'A page of orders, as MySQL has them',
      content: { 'application/json': { schema: orderListAnswer } },
    },
    ...refusals('invalid_request', ...ADMIN_REFUSALS),
  },
});

/** `GET /api/admin/orders`. */
export function adminOrderRoutes({ engine }: Pick<AppDeps, 'engine'>): OpenAPIHono {
  const routes = new OpenAPIHono();

  routes.openapi(listOrders, async (c) => {
    const { filter, page } = orderListOf(c.req.valid('query'));
    const deadline = new Deadline(COMMIT_BUDGET_MS);
    return c.json(orderListJson(await engine.admin.orders(filter, page, deadline)), 200);
  });

  return routes;
}
