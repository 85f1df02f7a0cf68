import { createRoute, OpenAPIHono, type z } from '@hono/zod-openapi';
import { Deadline } from '../../domain/deadline.ts';
import type { RulesPatch } from '../../domain/outcomes.ts';
import type { Product } from '../../domain/product.ts';
import { COMMIT_BUDGET_MS } from '../budgets.ts';
import type { AppDeps } from '../deps.ts';
import { locationHeader, PRODUCT_ID_PARAMETER, productIdOf } from '../fields.ts';
import { invalid, problem } from '../problems.ts';
import { adminProductAnswer, adminProductJson } from '../product-answer.ts';
import {
  newProductRequest,
  priceMinorOf,
  rulesPatchRequest,
  stockRequest,
  type Wrong,
  windowError,
} from '../product-request.ts';
import { BODY_REFUSALS, refusals } from '../refusals.ts';
import { unknownProduct } from '../unknown.ts';
import { ADMIN, ADMIN_REFUSALS } from './admin-route.ts';

const PRODUCT_ID = [PRODUCT_ID_PARAMETER];

const product = (description: string) => ({
  description,
  content: { 'application/json': { schema: adminProductAnswer } },
});

const createProductOn = (lanes: number) =>
  createRoute({
    ...ADMIN,
    method: 'post',
    path: '/api/admin/products',
    operationId: 'createProduct',
    summary: 'Put a product on sale',
    description: 'Not idempotent: after a lost answer, look whether the product is there.',
    request: {
      body: {
        required: true,
        content: { 'application/json': { schema: newProductRequest(lanes) } },
      },
    },
    responses: {
      201: {
        ...product('The product, sellable at once'),
        headers: locationHeader('Of the product', '/api/products/1'),
      },
      ...refusals(...ADMIN_REFUSALS, ...BODY_REFUSALS),
    },
  });

const changeProduct = createRoute({
  ...ADMIN,
  method: 'patch',
  path: '/api/admin/products/{id}',
  operationId: 'changeProduct',
  summary: 'Change rules of a sale while it runs',
  description:
    'Only what is named changes. Holds and orders that are there keep their price and deadline.',
  parameters: PRODUCT_ID,
  request: {
    body: { required: true, content: { 'application/json': { schema: rulesPatchRequest } } },
  },
  responses: {
    200: product('The product with its new rules'),
    ...refusals('product_not_found', ...ADMIN_REFUSALS, ...BODY_REFUSALS),
  },
});

const adjustStock = createRoute({
  ...ADMIN,
  method: 'post',
  path: '/api/admin/products/{id}/stock',
  operationId: 'adjustStock',
  summary: 'Add units, or take available ones away',
  description: 'Once for each `key`. Units that are held or sold cannot be taken away.',
  parameters: PRODUCT_ID,
  request: {
    body: { required: true, content: { 'application/json': { schema: stockRequest } } },
  },
  responses: {
    200: product('The product with its new stock; once for each key'),
    ...refusals(
      'product_not_found',
      'insufficient_available',
      'idempotency_mismatch',
      ...ADMIN_REFUSALS,
      ...BODY_REFUSALS,
    ),
  },
});

const pauseProduct = createRoute({
  ...ADMIN,
  method: 'post',
  path: '/api/admin/products/{id}/pause',
  operationId: 'pauseProduct',
  summary: 'Refuse new holds',
  description: 'Holds and orders that are there go on. Repeating it changes nothing.',
  parameters: PRODUCT_ID,
  responses: {
    200: product('The product, paused'),
    ...refusals('product_not_found', ...ADMIN_REFUSALS),
  },
});

const resumeProduct = createRoute({
  ...ADMIN,
  method: 'post',
  path: '/api/admin/products/{id}/resume',
  operationId: 'resumeProduct',
  summary: 'Allow new holds again',
  description: 'Repeating it changes nothing.',
  parameters: PRODUCT_ID,
  responses: {
    200: product('The product, on sale again'),
    ...refusals('product_not_found', ...ADMIN_REFUSALS),
  },
});

// What a patch means for this product: its price is in the product's currency, and its window
// joins the times that stay.
function rulesPatchOf(
  body: z.output<typeof rulesPatchRequest>,
  { currency, startsAtMs, endsAtMs }: Product,
): RulesPatch | Wrong {
  const patch: RulesPatch = {};
  if (body.name !== undefined) patch.name = body.name;
  if (body.price !== undefined) {
    const priceMinor = priceMinorOf(body.price, currency);
    if (typeof priceMinor === 'object') return priceMinor;
    patch.priceMinor = priceMinor;
  }
  if (body.starts_at !== undefined) patch.startsAtMs = body.starts_at;
  if (body.ends_at !== undefined) patch.endsAtMs = body.ends_at;
  if (patch.startsAtMs !== undefined || patch.endsAtMs !== undefined) {
    const window = { startsAtMs, endsAtMs, ...patch };
    const wrong = windowError(window.startsAtMs, window.endsAtMs);
    if (wrong) return wrong;
  }
  if (body.max_per_hold !== undefined) patch.maxPerHold = body.max_per_hold;
  if (body.max_per_buyer !== undefined) patch.maxPerBuyer = body.max_per_buyer;
  if (body.hold_ttl_seconds !== undefined) patch.holdTtlMs = body.hold_ttl_seconds * 1000;
  if (body.pay_ttl_seconds !== undefined) patch.payTtlMs = body.pay_ttl_seconds * 1000;
  if (body.extend_seconds !== undefined) patch.extendMs = body.extend_seconds * 1000;
  return patch;
}

function addChanges(routes: OpenAPIHono, { engine, lanes }: AppDeps): void {
  routes.openapi(createProductOn(lanes), async (c) => {
    const deadline = new Deadline(COMMIT_BUDGET_MS);
    const created = await engine.admin.create(c.req.valid('json'), deadline);
    const location = { Location: `/api/products/${created.id}` };
    return c.json(adminProductJson(created, engine.nowMs()), 201, location);
  });

  routes.openapi(changeProduct, async (c) => {
    const deadline = new Deadline(COMMIT_BUDGET_MS);
    const id = productIdOf(c.req.param('id'));
    const before = id && (await engine.readProduct(id, deadline));
    if (!id || !before) return unknownProduct(c);
    const patch = rulesPatchOf(c.req.valid('json'), before);
    if ('field' in patch) return invalid(c, patch.field, patch.message);
    const changed = await engine.admin.change(id, patch, deadline);
    return changed ? c.json(adminProductJson(changed, engine.nowMs()), 200) : unknownProduct(c);
  });

  routes.openapi(adjustStock, async (c) => {
    const id = productIdOf(c.req.param('id'));
    if (!id) return unknownProduct(c);
    const { delta, key } = c.req.valid('json');
    const deadline = new Deadline(COMMIT_BUDGET_MS);
    const outcome = await engine.admin.adjustStock(id, delta, key, deadline);
    switch (outcome.status) {
      case 'adjusted':
        return c.json(adminProductJson(outcome.product, engine.nowMs()), 200);
      case 'product_not_found':
        return unknownProduct(c);
      case 'insufficient_available': {
        const { available } = outcome;
        const detail = `Only ${available} units are available; others are held or sold.`;
        return problem(c, 'insufficient_available', { detail, fields: { available } });
      }
      case 'adjustment_mismatch':
        return problem(c, 'idempotency_mismatch', {
          detail: 'This key was used for another adjustment.',
        });
    }
  });
}

function addPauses(routes: OpenAPIHono, { engine }: AppDeps): void {
  const setStatus = (text: string, status: 'active' | 'paused') => {
    const id = productIdOf(text);
    return id ? engine.admin.change(id, { status }, new Deadline(COMMIT_BUDGET_MS)) : undefined;
  };

  routes.openapi(pauseProduct, async (c) => {
    const paused = await setStatus(c.req.param('id'), 'paused');
    return paused ? c.json(adminProductJson(paused, engine.nowMs()), 200) : unknownProduct(c);
  });

  routes.openapi(resumeProduct, async (c) => {
    const resumed = await setStatus(c.req.param('id'), 'active');
    return resumed ? c.json(adminProductJson(resumed, engine.nowMs()), 200) : unknownProduct(c);
  });
}

export function adminProductRoutes(deps: AppDeps): OpenAPIHono {
  const routes = new OpenAPIHono();
  addChanges(routes, deps);
  addPauses(routes, deps);
  return routes;
}
