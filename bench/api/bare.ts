import { createRoute, OpenAPIHono } from '@hono/zod-openapi';
import { HOLD, HOLD_HEADERS, PRODUCT, SOLD_OUT, SOLD_OUT_HEADERS } from './answers.ts';
import { compiled } from './compiled.ts';
import { holdRoute } from './hold-route.ts';
import { type RunningApi, SOLD_OUT_PRODUCT } from './settings.ts';

/**
 * Holdfast's routes with their schemas and the same answers, without anything behind them; `later`
 * is awaited before a hold is answered.
 */
export async function startBare(later?: () => Promise<void>): Promise<RunningApi> {
  const { productAnswer } = (await compiled(
    'http/product-answer',
  )) as typeof import('../../src/http/product-answer.ts');
  const { listen } = (await compiled('http/server')) as typeof import('../../src/http/server.ts');

  const app = new OpenAPIHono();
  app.openapi(await holdRoute(), async (c) => {
    const { items } = c.req.valid('json');
    if (later) await later();
    if (items[0]?.productId === SOLD_OUT_PRODUCT) {
      return c.body(JSON.stringify(SOLD_OUT), 409, SOLD_OUT_HEADERS);
    }
    return c.json(HOLD, 201, HOLD_HEADERS);
  });
  const readProduct = createRoute({
    method: 'get',
    path: '/api/products/{id}',
    responses: {
      200: { description: 'product', content: { 'application/json': { schema: productAnswer } } },
    },
  });
  app.openapi(readProduct, async (c) => c.json(PRODUCT, 200));
  return listen(app, { host: '127.0.0.1', port: 0 });
}
