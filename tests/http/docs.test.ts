import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { createApp } from '../../src/http/app.ts';
import type { AppDeps } from '../../src/http/deps.ts';
import { PROBLEMS } from '../../src/http/problem-table.ts';
import { UNSIGNED } from '../../src/payments/signatures.ts';
import { calls } from './document.ts';

const app = createApp({ lanes: 1, adminToken: undefined, signing: UNSIGNED } as AppDeps);
const response = await app.request('/docs');
const page = await response.text();

/** What a reader sees of a call, without tags; quotation marks as they were written. */
function read(operationId: string): string {
  const [article = ''] =
    new RegExp(`<article id="${operationId}">[\\s\\S]*?</article>`).exec(page) ?? [];
  const text = article.replaceAll(/<[^>]+>/g, ' ').replaceAll(/\s+/g, ' ');
  return text.replaceAll('&quot;', '"').replaceAll('&#39;', "'").replaceAll('&amp;', '&');
}

test('parameters stand where they are sent, with their values and an example', () => {
  const orders = read('listOrders');
  expect(orders).toMatch(/In the query status optional pending , paid , .* What the orders are/);
  expect(orders).toContain('limit optional integer, 1 to 200 Number of orders of a page');
  expect(orders).toMatch(
    /"\$URL\/api\/admin\/orders\?status=pending&product_id=1&buyer=ada&from=2026-/,
  );
  expect(read('streamProduct')).toContain('In the path id integer Id of the product 1');
  expect(read('receivePayment')).toContain('Headers of the request webhook-id optional text');
  expect(read('receivePayment')).toContain("-H 'webhook-id: msg_");
  expect(read('takeHold')).toContain('Headers of the request Idempotency-Key optional text');
});

test('a stream is shown as its events, and each form of an answer with its fields', () => {
  const stream = read('streamProduct');
  expect(stream).toContain('curl -sS -N "$URL/api/products/1/stream"');
  expect(stream).toContain('200 text/event-stream retry: 2000 event: stock data: {"id":1,');
  const stripe = read('receiveStripeEvent');
  expect(stripe).toMatch(/Answer: What became .* order_status .* Answer: That .* reason /);
  expect(read('refundOrder')).toContain('"status": "refunded"');
});

test('/docs is a page that has every call, by its id, its path and a command', () => {
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe('text/html; charset=UTF-8');
  for (const { method, path, operation } of calls) {
    const [article = ''] =
      new RegExp(`<article id="${operation.operationId}">[\\s\\S]*?</article>`).exec(page) ?? [];
    expect(article, operation.operationId).toContain(`>${method}</b> ${path}<`);
    expect(article).toContain('curl -sS');
    for (const { name } of operation.parameters ?? []) expect(article).toContain(name);
    expect(page.includes(`href="#${operation.operationId}"`)).toBe(true);
  }
});

test('it has every refusal that a call has, with what to do about it', () => {
  for (const code of Object.keys(PROBLEMS).filter((one) => one !== 'bad_request')) {
    expect(page.includes(`<article id="${code}">`), code).toBe(true);
    expect(page.includes(`<a href="#${code}"><code>${code}</code></a>`), code).toBe(true);
  }
  expect(page.includes('Ask for no more than <code>available</code>')).toBe(true);
});

test('every link leads somewhere on this host, and each id is there once', () => {
  const ids = [...page.matchAll(/ id="([^"]*)"/g)].map(([, id]) => id);
  expect(new Set(ids).size).toBe(ids.length);
  const links = [...page.matchAll(/ (?:href|src|srcset|action)="([^"]*)"/g)].map(([, to]) => to);
  expect(links.length).toBeGreaterThan(calls.length);
  for (const to of new Set(links)) {
    if (to?.startsWith('#')) expect(ids).toContain(to.slice(1));
    else expect(['/openapi.json', 'data:,']).toContain(to);
  }
  expect(/<script|<iframe|@import|url\(|\son\w+=|https?:/i.exec(page)).toBeNull();
});

test('its policy lets nothing in but its own style', () => {
  const [, style = ''] = /<style>([\s\S]*?)<\/style>/.exec(page) ?? [];
  const hash = createHash('sha256').update(style).digest('base64');
  expect(response.headers.get('content-security-policy')).toBe(
    `default-src 'none'; style-src 'sha256-${hash}'; img-src data:; base-uri 'none'; ` +
      "form-action 'none'; frame-ancestors 'none'",
  );
  expect(/ style="/.exec(page)).toBeNull();
  expect(response.headers.get('x-content-type-options')).toBe('nosniff');
  expect(response.headers.get('strict-transport-security')).toBeNull();
});

test('nothing of it is left unsaid', () => {
  expect(/undefined|\[object |>null</.exec(page)).toBeNull();
});
