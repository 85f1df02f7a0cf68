import { createHash } from 'node:crypto';
import type { OpenAPIHono } from '@hono/zod-openapi';
import { Hono } from 'hono';
import { secureHeaders } from 'hono/secure-headers';
import type { OpenApi } from '../docs/openapi.ts';
import { docsPage } from '../docs/page.ts';
import { STYLE } from '../docs/style.ts';
import { DOCUMENT } from '../document.ts';

/** What the page may load: its own style, and nothing else from anywhere. */
const POLICY = {
  defaultSrc: ["'none'"],
  styleSrc: [`'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`],
  imgSrc: ['data:'],
  baseUri: ["'none'"],
  formAction: ["'none'"],
  frameAncestors: ["'none'"],
};

/** `/openapi.json`, which describes all routes of the app, and the same for people at `/docs`. */
export function docsRoutes(app: OpenAPIHono): Hono {
  const routes = new Hono();
  let known: OpenApi | undefined;
  const read = (): OpenApi => {
    known ??= app.getOpenAPI31Document(DOCUMENT) as unknown as OpenApi;
    return known;
  };
  routes.get('/openapi.json', (c) => c.json(read()));

  // It is served over plain HTTP, too.
  const headers = { contentSecurityPolicy: POLICY, strictTransportSecurity: false };
  routes.use('/docs', secureHeaders(headers));
  let page: ReturnType<typeof docsPage> | undefined;
  routes.get('/docs', (c) => {
    page ??= docsPage(read());
    return c.html(page);
  });
  return routes;
}
