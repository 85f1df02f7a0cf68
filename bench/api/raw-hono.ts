import { z } from '@hono/zod-openapi';
import { Hono } from 'hono';
import { HOLD, HOLD_HEADERS, PRODUCT, SOLD_OUT, SOLD_OUT_HEADERS } from './answers.ts';
import { compiled } from './compiled.ts';
import { type RunningApi, SOLD_OUT_PRODUCT } from './settings.ts';

const body = z.object({
  product_id: z.int().min(1),
  qty: z.int().min(1).max(10_000),
  buyer: z
    .string()
    .regex(/^[A-Za-z0-9_.:@-]{1,64}$/)
    .optional(),
});

/** The least that checks the request and gives the same answers: Hono and zod, nothing else. */
export async function startRawHono(): Promise<RunningApi> {
  const { listen } = (await compiled('http/server')) as typeof import('../../src/http/server.ts');
  const app = new Hono();
  app.post('/api/holds', async (c) => {
    const parsed = body.safeParse(await c.req.json());
    if (!parsed.success) return c.json({ error: 'invalid' }, 422);
    if (parsed.data.product_id === SOLD_OUT_PRODUCT) {
      return c.body(JSON.stringify(SOLD_OUT), 409, SOLD_OUT_HEADERS);
    }
    return c.json(HOLD, 201, HOLD_HEADERS);
  });
  app.get('/api/products/:id', (c) => c.json(PRODUCT));
  return listen(app as unknown as Parameters<typeof listen>[0], { host: '127.0.0.1', port: 0 });
}
