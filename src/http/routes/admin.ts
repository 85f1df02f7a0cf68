import { createRoute, OpenAPIHono, z } from '@hono/zod-openapi';
import { Deadline } from '../../domain/deadline.ts';
import { requireAdmin } from '../admin-auth.ts';
import { COMMIT_BUDGET_MS } from '../budgets.ts';
import type { AppDeps } from '../deps.ts';
import { isoTime, momentAnswer } from '../fields.ts';
import { adminProductAnswer, adminProductJson } from '../product-answer.ts';
import { refusals } from '../refusals.ts';
import { adminDeadLetterRoutes } from './admin-dead-letters.ts';
import { adminHistoryRoutes } from './admin-history.ts';
import { adminOrderRoutes } from './admin-orders.ts';
import { adminProductRoutes } from './admin-products.ts';
import { adminReconciliationRoutes } from './admin-reconciliations.ts';
import { adminRefundRoutes } from './admin-refunds.ts';

const laneAnswer = z
  .object({
    lane: z.int(),
    state: z.string(),
    epoch: z.int(),
    position: z.string().openapi({ description: "Newest entry of the lane's journal" }),
    watermark: z.string().openapi({ description: 'Newest entry that MySQL has' }),
    outbox_length: z.int(),
    backlog: z.int().openapi({ description: 'Transitions that MySQL does not have yet' }),
    lag_ms: z.number(),
    live_reservations: z.int(),
  })
  .openapi('Lane');

const lastReconciliationAnswer = z
  .object({
    id: z.string(),
    finished_at: momentAnswer,
    drift: z.int().openapi({ description: 'Units by which two accounts differed' }),
    found: z.int(),
    repaired: z.int(),
  })
  .openapi('LastReconciliation', { description: 'The newest one of all books' });

const overview = createRoute({
  method: 'get',
  path: '/api/admin/overview',
  operationId: 'readOverview',
  summary: 'How products and lanes do',
  tags: ['admin'],
  security: [{ adminToken: [] }],
  responses: {
    200: {
      description: 'The overview',
      content: {
        'application/json': {
          schema: z
            .object({
              products: z.array(adminProductAnswer),
              lanes: z.array(laneAnswer),
              refunds_due: z.int(),
              open_receipts: z.int(),
              dead_letters: z.int().openapi({ description: 'Transitions that no row would take' }),
              drifts: z.int().openapi({
                description: 'Products whose counters in Redis are known to be wrong',
              }),
              reconciliation: lastReconciliationAnswer.nullable(),
            })
            .openapi('Overview'),
        },
      },
    },
    ...refusals('unauthorized', 'not_found', 'unavailable'),
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
