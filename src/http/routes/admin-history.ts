import { createRoute, OpenAPIHono } from '@hono/zod-openapi';
import { Deadline } from '../../domain/deadline.ts';
import { COMMIT_BUDGET_MS } from '../budgets.ts';
import type { AppDeps } from '../deps.ts';
import { pathParameter } from '../fields.ts';
import { historyAnswer, historyJson } from '../history-answer.ts';
import { problem } from '../problems.ts';
import { refusals } from '../refusals.ts';
import { ADMIN, ADMIN_REFUSALS } from './admin-route.ts';

const ID = pathParameter('id', 'Of a hold, an order or a payment event', 'pay-1');

const readHistory = createRoute({
  ...ADMIN,
  method: 'get',
  path: '/api/admin/history/{id}',
  operationId: 'readHistory',
  summary: 'Every transition of a hold and its order, from MySQL',
  description:
    'The id of the hold or of the order, or the reference of a payment of it. What is not ' +
    'committed in MySQL yet is not told.',
  parameters: [ID],
  responses: {
    200: {
      description: 'The history',
      content: { 'application/json': { schema: historyAnswer } },
    },
    ...refusals('history_not_found', ...ADMIN_REFUSALS),
  },
});

export function adminHistoryRoutes({ engine }: AppDeps): OpenAPIHono {
  const routes = new OpenAPIHono();

  routes.openapi(readHistory, async (c) => {
    const history = await engine.admin.history(c.req.param('id'), new Deadline(COMMIT_BUDGET_MS));
    if (history) return c.json(historyJson(history), 200);
    const detail = 'No hold, order or payment in MySQL has this id.';
    return problem(c, 'history_not_found', { detail });
  });

  return routes;
}
