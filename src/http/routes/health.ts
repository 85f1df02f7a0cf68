import { createRoute, OpenAPIHono, z } from '@hono/zod-openapi';
import type { AppDeps } from '../deps.ts';
import { problem } from '../problems.ts';
import { refusals } from '../refusals.ts';

const status = z.literal('ok').openapi({ description: 'All is well' });

const alive = createRoute({
  method: 'get',
  path: '/healthz',
  operationId: 'isAlive',
  summary: 'Whether the process answers',
  description: 'Asks neither Redis nor MySQL: for whoever restarts a process that hangs.',
  tags: ['health'],
  responses: {
    200: {
      description: 'It does.',
      content: { 'application/json': { schema: z.object({ status }).openapi('Alive') } },
    },
  },
});

const ready = createRoute({
  method: 'get',
  path: '/readyz',
  operationId: 'isReady',
  summary: 'Whether Redis, MySQL and the lanes are ready for sales',
  description: 'For a load balancer, which sends nobody to a process that is not ready.',
  tags: ['health'],
  responses: {
    200: {
      description: 'They are.',
      content: {
        'application/json': {
          schema: z
            .object({
              status,
              checks: z.record(z.string(), z.string()).openapi({
                description: 'What was looked at, each `ok`',
                example: { redis: 'ok', mysql: 'ok' },
              }),
            })
            .openapi('Ready'),
        },
      },
    },
    ...refusals('unavailable'),
  },
});

export function healthRoutes(deps: Pick<AppDeps, 'ready'>): OpenAPIHono {
  const routes = new OpenAPIHono();

  routes.openapi(alive, (c) => c.json({ status: 'ok' as const }, 200));

  routes.openapi(ready, async (c) => {
    const { ok, checks } = await deps.ready();
    if (ok) return c.json({ status: 'ok' as const, checks }, 200);
    return problem(c, 'unavailable', { detail: 'Not ready for sales.', fields: { checks } });
  });

  return routes;
}
