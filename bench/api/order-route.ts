import { createRoute, z } from '@hono/zod-openapi';
import { compiled } from './compiled.ts';

const orderRequest = z.object({ hold_id: z.string() });

/** `POST /api/orders` with Holdfast's own answer, for the API that it is compared with. */
export async function orderRoute() {
  const { orderAnswer } = (await compiled(
    'http/reservation-answer',
  )) as typeof import('../../src/http/reservation-answer.ts');
  return createRoute({
    method: 'post',
    path: '/api/orders',
    request: {
      body: { required: true, content: { 'application/json': { schema: orderRequest } } },
    },
    responses: {
      201: { description: 'ordered', content: { 'application/json': { schema: orderAnswer } } },
      409: { description: 'not held' },
    },
  });
}
