import { createRoute, OpenAPIHono, z } from '@hono/zod-openapi';
import { Deadline } from '../../domain/deadline.ts';
import { HOLD_BUDGET_MS } from '../budgets.ts';
import type { AppDeps } from '../deps.ts';
import { PRODUCT_ID_PARAMETER, productIdOf } from '../fields.ts';
import { problem } from '../problems.ts';
import { productAnswer, productJson } from '../product-answer.ts';
import { refusals } from '../refusals.ts';

const readProduct = createRoute({
  method: 'get',
  path: '/api/products/{id}',
  operationId: 'readProduct',
  summary: 'One product and its stock',
  description: 'From Redis, as of now: `available_stock` is what the next hold can get.',
  tags: ['products'],
  parameters: [PRODUCT_ID_PARAMETER],
  responses: {
    200: {
      description: 'The product',
      content: { 'application/json': { schema: productAnswer } },
    },
    ...refusals('product_not_found', 'rate_limited', 'unavailable'),
  },
});

const listProducts = createRoute({
  method: 'get',
  path: '/api/products',
  operationId: 'listProducts',
  summary: 'All products and their stock',
  description: 'Each as `GET /api/products/{id}` tells it.',
  tags: ['products'],
  responses: {
    200: {
      description: 'The products, sorted by id',
      content: {
        'application/json': {
          schema: z
            .object({
              products: z.array(productAnswer).openapi({ description: 'Sorted by id' }),
            })
            .openapi('Products'),
        },
      },
    },
    ...refusals('rate_limited', 'unavailable'),
  },
});

export function productRoutes({ engine }: AppDeps): OpenAPIHono {
  const routes = new OpenAPIHono();

  routes.openapi(readProduct, async (c) => {
    const id = productIdOf(c.req.param('id'));
    const product = id && (await engine.readProduct(id, new Deadline(HOLD_BUDGET_MS)));
    if (product) return c.json(productJson(product, engine.nowMs()), 200);
    return problem(c, 'product_not_found', { detail: 'There is no such product.' });
  });

  routes.openapi(listProducts, async (c) => {
    const products = await engine.listProducts(new Deadline(HOLD_BUDGET_MS));
    const nowMs = engine.nowMs();
    return c.json({ products: products.map((product) => productJson(product, nowMs)) }, 200);
  });

  return routes;
}
