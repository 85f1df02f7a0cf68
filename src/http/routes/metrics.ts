import { createRoute, OpenAPIHono, z } from '@hono/zod-openapi';
import type { AppDeps } from '../deps.ts';

const readMetrics = createRoute({
  method: 'get',
  path: '/metrics',
  operationId: 'readMetrics',
  summary: 'How it goes, for Prometheus',
  description: 'What only MySQL knows is left out while it cannot be asked.',
  tags: ['health'],
  responses: {
    200: {
      description: 'Prometheus text format 0.0.4',
      content: {
        'text/plain': {
          schema: z.string().openapi({
            description: 'One sample a line; its unit is in its name or its HELP',
            example: 'holdfast_dead_letters_open{lane="0"} 0\n',
          }),
        },
      },
    },
  },
});

/** `/metrics`, for Prometheus. */
export function metricsRoutes({ metrics }: Pick<AppDeps, 'metrics'>): OpenAPIHono {
  const routes = new OpenAPIHono();
  routes.openapi(readMetrics, async (c) => {
    const { contentType, text } = await metrics();
    return c.text(text, 200, { 'Content-Type': contentType });
  });
  return routes;
}
