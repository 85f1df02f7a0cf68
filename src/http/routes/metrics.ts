import { Hono } from 'hono';
import type { AppDeps } from '../deps.ts';

/** `/metrics`, for Prometheus. No part of the OpenAPI document: its answer is not JSON. */
export function metricsRoutes({ metrics }: Pick<AppDeps, 'metrics'>): Hono {
  const routes = new Hono();
  routes.get('/metrics', async (c) => {
    const { contentType, text } = await metrics();
    return c.body(text, 200, { 'Content-Type': contentType });
  });
  return routes;
}
