import type { HttpBindings } from '@hono/node-server';
import { createRoute, OpenAPIHono, z } from '@hono/zod-openapi';
import type { AppDeps } from '../deps.ts';
import { PRODUCT_ID_PARAMETER, productIdOf } from '../fields.ts';
import { problem } from '../problems.ts';
import { refusals } from '../refusals.ts';
import { StockStreams, type StreamLimits } from '../stock-streams.ts';
import { unknownProduct } from '../unknown.ts';

const EVENTS = `Server-sent events: \`stock\` with the product as JSON, as a read of it answers.
The first comes at once; then, at most four a second, one whenever something of it has changed.
Who reads slowly gets the newest only. Comments keep the connection alive: they come every 15 s
without an event, also while the stock cannot be read. After a refusal an \`EventSource\` does not
try again by itself; after a break it does, within three seconds.`.replaceAll('\n', ' ');

const EXAMPLE_DATA = {
  ...{ id: 1, name: 'Aurora desk lamp', price: '129.00', currency: 'USD' },
  ...{ total_stock: 100, available_stock: 90, held: 4, pending: 3, sold: 3, status: 'active' },
  ...{ starts_at: null, ends_at: null, max_per_hold: 4, max_per_buyer: 4, extend_seconds: 60 },
};

const eventsAnswer = z.string().openapi({
  description: 'The `data` of each event has the fields of the product.',
  example: `retry: 2000\nevent: stock\ndata: ${JSON.stringify(EXAMPLE_DATA)}\n\n`,
});

const streamProduct = createRoute({
  method: 'get',
  path: '/api/products/{id}/stream',
  operationId: 'streamProduct',
  summary: 'One product and its stock, live',
  description: EVENTS,
  tags: ['products'],
  parameters: [PRODUCT_ID_PARAMETER],
  responses: {
    200: {
      description: 'The stream, which goes on until it is closed',
      content: { 'text/event-stream': { schema: eventsAnswer } },
    },
    ...refusals('product_not_found', 'rate_limited', 'unavailable', 'overloaded'),
  },
});

const HEADERS = {
  'Content-Type': 'text/event-stream',
  'Cache-Control': 'no-store',
  // Nginx would collect events before it passes them on.
  'X-Accel-Buffering': 'no',
};

export function streamRoutes(
  { engine, listening, log }: Pick<AppDeps, 'engine' | 'listening' | 'log'>,
  limits: Partial<StreamLimits> = {},
): OpenAPIHono {
  const routes = new OpenAPIHono();
  const streams = new StockStreams({ engine, listening, log }, limits);

  routes.openapi(streamProduct, async (c) => {
    const id = productIdOf(c.req.param('id'));
    if (!id) return unknownProduct(c);
    const { outgoing } = (c.env ?? {}) as Partial<HttpBindings>;
    const opened = await streams.open(id, () => outgoing?.destroy());
    switch (opened.status) {
      case 'unknown':
        return unknownProduct(c);
      case 'full': {
        const detail = 'This process has all the listeners that it takes. Try again.';
        return problem(c, 'overloaded', { detail });
      }
      case 'opened': {
        // Of a HEAD nobody would read the stream.
        if (c.req.method === 'HEAD') await opened.stream.cancel();
        return new Response(opened.stream, { headers: HEADERS });
      }
    }
  });

  return routes;
}
