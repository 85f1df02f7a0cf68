import { OpenAPIHono } from '@hono/zod-openapi';
import { limitBody } from './body-limit.ts';
import type { AppDeps } from './deps.ts';
import { ADMIN_TOKEN_SCHEME } from './document.ts';
import { createErrorHandler, notFound, refuseInvalid } from './problems.ts';
import { limitAddresses } from './rate-limit.ts';
import { adminRoutes } from './routes/admin.ts';
import { docsRoutes } from './routes/docs.ts';
import { healthRoutes } from './routes/health.ts';
import { holdExtensionRoutes } from './routes/hold-extension.ts';
import { holdRoutes } from './routes/holds.ts';
import { metricsRoutes } from './routes/metrics.ts';
import { orderRoutes } from './routes/orders.ts';
import { paymentRoutes } from './routes/payments.ts';
import { productRoutes } from './routes/products.ts';
import { streamRoutes } from './routes/stream.ts';

function emptyApp({ log }: Pick<AppDeps, 'log'>): OpenAPIHono {
  const app = new OpenAPIHono({ defaultHook: refuseInvalid });
  app.onError(createErrorHandler(log));
  app.notFound(notFound);
  return app;
}

/** Only `/healthz`, `/readyz` and `/metrics`, for a process that serves no buyers. */
export function createHealthApp(deps: Pick<AppDeps, 'ready' | 'metrics' | 'log'>): OpenAPIHono {
  return emptyApp(deps).route('/', healthRoutes(deps)).route('/', metricsRoutes(deps));
}

/**
 * The HTTP API. Nothing is answered with 500: what cannot be known or done is
 * 503 with `Retry-After`.
 */
export function createApp(deps: AppDeps): OpenAPIHono {
  const app = emptyApp(deps);
  if (deps.limit?.by === 'address') limitAddresses(app, deps.limit);
  app.use('/api/*', limitBody);
  app.route('/', productRoutes(deps));
  app.route('/', streamRoutes(deps));
  app.route('/', holdRoutes(deps));
  app.route('/', holdExtensionRoutes(deps));
  app.route('/', orderRoutes(deps));
  app.route('/', paymentRoutes(deps));
  app.route('/', adminRoutes(deps));
  app.route('/', healthRoutes(deps));
  app.route('/', metricsRoutes(deps));
  app.openAPIRegistry.registerComponent('securitySchemes', 'adminToken', ADMIN_TOKEN_SCHEME);
  app.route('/', docsRoutes(app));
  return app;
}
