import { createRoute, OpenAPIHono, z } from '@hono/zod-openapi';
import { pastReconciliationJson, reconciliationJson } from '../../recovery/reconcile/json.ts';
import { ReconcileBusy } from '../../recovery/reconcile/reconciliation.ts';
import type { AppDeps } from '../deps.ts';
import { productIdField } from '../fields.ts';
import { problem } from '../problems.ts';
import { pastReconciliationAnswer, reconciliationAnswer } from '../reconciliation-answer.ts';
import { BODY_REFUSALS, refusals } from '../refusals.ts';
import { ADMIN, ADMIN_REFUSALS } from './admin-route.ts';

/** Findings told of a past run. */
const FINDINGS_TOLD_MAX = 100;

const request = z
  .strictObject({
    product_id: productIdField
      .optional()
      .openapi({ description: 'Id of the only product whose books are compared' }),
    fix: z
      .boolean('must be true or false')
      .optional()
      .openapi({ description: 'Whether to repair what is found', example: false }),
  })
  .openapi('ReconciliationRequest');

const reconcileBooks = createRoute({
  ...ADMIN,
  method: 'post',
  path: '/api/admin/reconciliations',
  operationId: 'reconcile',
  summary: 'Compare the books of Redis and MySQL, and repair them',
  description: 'While sales go on. One at a time; docs/reconciliation.md tells what is compared.',
  request: { body: { required: true, content: { 'application/json': { schema: request } } } },
  responses: {
    200: {
      description: 'What was found',
      content: { 'application/json': { schema: reconciliationAnswer } },
    },
    ...refusals('product_not_found', 'reconcile_busy', ...ADMIN_REFUSALS, ...BODY_REFUSALS),
  },
});

const listReconciliations = createRoute({
  ...ADMIN,
  method: 'get',
  path: '/api/admin/reconciliations',
  operationId: 'listReconciliations',
  summary: 'The newest reconciliations, with their first findings',
  description: `Whoever asked for them; of each run up to ${FINDINGS_TOLD_MAX} findings.`,
  responses: {
    200: {
      description: 'The newest first',
      content: {
        'application/json': {
          schema: z
            .object({
              reconciliations: z
                .array(pastReconciliationAnswer)
                .openapi({ description: 'The newest first' }),
            })
            .openapi('Reconciliations'),
        },
      },
    },
    ...refusals(...ADMIN_REFUSALS),
  },
});

export function adminReconciliationRoutes(
  deps: Pick<AppDeps, 'reconcile' | 'reconciliations'>,
): OpenAPIHono {
  const { reconcile, reconciliations } = deps;
  const routes = new OpenAPIHono();
  // One for all who ask this process: each takes time of both servers from the sale.
  let isRunning = false;

  routes.openapi(reconcileBooks, async (c) => {
    const { product_id: productId = null, fix: fixes = false } = c.req.valid('json');
    if (isRunning) return problem(c, 'reconcile_busy', { detail: 'Try again once it is done.' });
    isRunning = true;
    try {
      // Who hangs up no longer wants to know.
      const { signal } = c.req.raw;
      const how = { fixes, cause: 'request', isPaced: productId === null, signal } as const;
      const run = await reconcile({ productId, ...how });
      if (productId === null || run.products + run.found > 0) {
        return c.json(reconciliationJson(run), 200);
      }
      const fields = { product_id: productId };
      return problem(c, 'product_not_found', { detail: 'There is no such product.', fields });
    } catch (error) {
      if (!(error instanceof ReconcileBusy)) throw error;
      return problem(c, 'reconcile_busy', { detail: 'Try again once it is done.' });
    } finally {
      isRunning = false;
    }
  });

  routes.openapi(listReconciliations, async (c) => {
    const runs = await reconciliations();
    const told = runs.map((run) => pastReconciliationJson(run, FINDINGS_TOLD_MAX));
    return c.json({ reconciliations: told }, 200);
  });

  return routes;
}
