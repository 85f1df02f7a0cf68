import { createRoute } from '@hono/zod-openapi';
import { compiled } from './compiled.ts';

/** `POST /api/holds` with Holdfast's own schemas, for the APIs that it is compared with. */
export async function holdRoute() {
  const { holdRequest } = (await compiled(
    'http/hold-request',
  )) as typeof import('../../src/http/hold-request.ts');
  const { holdAnswer } = (await compiled(
    'http/reservation-answer',
  )) as typeof import('../../src/http/reservation-answer.ts');
  return createRoute({
    method: 'post',
    path: '/api/holds',
    request: {
      body: { required: true, content: { 'application/json': { schema: holdRequest } } },
    },
    responses: {
      201: { description: 'held', content: { 'application/json': { schema: holdAnswer } } },
      409: { description: 'sold out' },
    },
  });
}
