import { createRoute, OpenAPIHono, z } from '@hono/zod-openapi';
import { Deadline } from '../../domain/deadline.ts';
import { requireAdmin } from '../admin-auth.ts';
import { COMMIT_BUDGET_MS } from '../budgets.ts';
import type { AppDeps } from '../deps.ts';
import { countAnswer, isoTime, momentAnswer, textAnswer } from '../fields.ts';
import { adminProductAnswer, adminProductJson } from '../product-answer.ts';
import { reconciliationIdAnswer } from '../reconciliation-answer.ts';
import { refusals } from '../refusals.ts';
import { adminDeadLetterRoutes } from './admin-dead-letters.ts';
import { adminHistoryRoutes } from './admin-history.ts';
import { adminOrderRoutes } from './admin-orders.ts';
import { adminProductRoutes } from './admin-products.ts';
import { adminReconciliationRoutes } from './admin-reconciliations.ts';
import { adminRefundRoutes } from './admin-refunds.ts';
import { ADMIN, ADMIN_REFUSALS } from './admin-route.ts';

const laneAnswer = z
  .object({
    lane: countAnswer('Number of the partition'),
    state: textAnswer('`open` for sales, or why not', 'open'),
    epoch: countAnswer('Number of times that the lane was opened anew', 1),
    position: textAnswer("Newest entry of the lane's journal", '1-4711'),
    watermark: textAnswer('Newest entry that MySQL has', '1-4709'),
    outbox_length: countAnswer('Number of entries in the outbox, with those kept a while', 2),
    backlog: countAnswer('Number of transitions that MySQL does not have yet', 2),
    lag_ms: z.number().openapi({ description: 'Milliseconds that MySQL is behind', example: 12 }),
    live_reservations: countAnswer('Number of holds and of orders that await payment', 7),
  })
  .openapi('Lane');

const lastReconciliationAnswer = z
  .object({
    id: reconciliationIdAnswer,
    finished_at: momentAnswer('When it was done'),
    drift: countAnswer('Units by which two accounts differed'),
    found: countAnswer('Number of findings'),
    repaired: countAnswer('Number of findings that it has repaired'),
  })
  .openapi('LastReconciliation', { description: 'The newest one of all books' });

const overview = createRoute({
  ...ADMIN,
  method: 'get',
  path: '/api/admin/overview',
  operationId: 'readOverview',
  summary: 'How products and lanes do',
  description: 'Counters from Redis, how far MySQL is behind them, and what waits for people.',
  responses: {
    200: {
      description: 'The overview',
      content: {
        'application/json': {
          schema: z
            .object({
              products: z.array(adminProductAnswer).openapi({ description: 'Sorted by id' }),
              lanes: z.array(laneAnswer).openapi({ description: 'Each partition' }),
              refunds_due: countAnswer('Number of orders whose money is to be paid back'),
              open_receipts: countAnswer('Number of payment events that are not decided yet'),
              dead_letters: countAnswer('Number of transitions that no row would take'),
              drifts: countAnswer('Number of products whose counters in Redis are wrong'),
              reconciliation: lastReconciliationAnswer.nullable(),
            })
            .openapi('Overview'),
        },
      },
    },
    ...refusals(...ADMIN_REFUSALS),
  },
});

export function adminRoutes(deps: AppDeps): OpenAPIHono {
  const { engine, adminToken } = deps;
  const routes = new OpenAPIHono();
  routes.use('/api/admin/*', requireAdmin(adminToken));
  routes.route('/', adminProductRoutes(deps));
  routes.route('/', adminReconciliationRoutes(deps));
  routes.route('/', adminHistoryRoutes(deps));
  routes.route('/', adminOrderRoutes(deps));
  routes.route('/', adminDeadLetterRoutes(deps));
  routes.route('/', adminRefundRoutes(deps));

  routes.openapi(overview, async (c) => {
    const deadline = new Deadline(COMMIT_BUDGET_MS);
    const { products, lanes, ...waiting } = await engine.admin.overview(deadline);
    const { refundsDue, openReceipts, deadLetters, drifts, reconciliation } = waiting;
    const nowMs = engine.nowMs();
    return c.json(
      {
        products: products.map((product) => adminProductJson(product, nowMs)),
        lanes: lanes.map(({ outboxLength, lagMs, liveReservations, ...lane }) => ({
          ...lane,
          outbox_length: outboxLength,
          lag_ms: lagMs,
          live_reservations: liveReservations,
        })),
        refunds_due: refundsDue,
        open_receipts: openReceipts,
        dead_letters: deadLetters,
        drifts,
        reconciliation: reconciliation && {
          id: reconciliation.id,
          finished_at: isoTime(reconciliation.finishedAtMs),
          drift: reconciliation.drift,
          found: reconciliation.found,
          repaired: reconciliation.repaired,
        },
      },
      200,
    );
  });

  return routes;
}
