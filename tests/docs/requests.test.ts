import { afterAll, beforeAll, expect, test } from 'vitest';
import { ADMIN_TOKEN, appOn, clientOf } from '../http/support.ts';
import { expectBooksBalance } from '../support/books.ts';
import { makeProduct, startEngine, type TestEngine } from '../support/engine.ts';
import { projectFile } from '../support/project.ts';

interface Request {
  method: string;
  path: string;
  headers: Record<string, string>;
  body: string;
}

let engine: TestEngine;
let text: string;

beforeAll(async () => {
  engine = await startEngine();
  text = await projectFile('requests.http');
});
afterAll(async () => {
  await expectBooksBalance(engine);
  await engine.stop();
});

// As the OpenAPI document names parameters: variables of the file are named by what they are of.
const pathOf = (path: string) =>
  path
    .replace(/\?.*/, '')
    .replace('{{product_id}}', '{id}')
    .replace('/history/{{order_id}}', '/history/{id}')
    .replace('{{dead_letter_id}}', '{id}')
    .replaceAll(/\{\{(\w+)\}\}/g, '{$1}');

/** The requests of the file, with their variables as they stand there. */
function requestsOf(file: string): Request[] {
  const parts = file.split(/^###.*\n/m).slice(1);
  return parts.map((part) => {
    const [head = '', body = ''] = part.trim().split('\n\n');
    const [line = '', ...headerLines] = head.split('\n');
    const [, method = '', path = ''] = /^([A-Z]+) \{\{url\}\}(\S+)$/.exec(line) ?? [];
    const headers = Object.fromEntries(headerLines.map((header) => header.split(': ')));
    return { method, path, headers, body };
  });
}

const filled = (template: string, variables: Record<string, string>) =>
  template.replaceAll(/\{\{(\w+)\}\}/g, (_, name) => variables[name] ?? `no variable ${name}`);

test('every request of requests.http is in the OpenAPI document, and every call is there', async () => {
  const { body } = await clientOf(appOn(engine)).get('/openapi.json');
  const described = Object.entries(body.paths as Record<string, object>).flatMap(
    ([path, operations]) =>
      Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
  );
  const requested = requestsOf(text).map(({ method, path }) => `${method} ${pathOf(path)}`);
  expect(new Set(requested)).toEqual(new Set([...described, 'GET /openapi.json']));
});

/** Sends every request of the file, with the ids put in, to a product. */
async function sendAll(productId: number): Promise<void> {
  const client = clientOf(appOn(engine));
  const declared = [...text.matchAll(/^@(\w+) = (.+)$/gm)].map(([, name, value]) => [name, value]);
  const variables: Record<string, string> = Object.fromEntries(declared);
  variables.admin_token = ADMIN_TOKEN;
  variables.product_id = String(productId);
  const requests = requestsOf(text);
  expect(requests.length).toBeGreaterThan(0);
  for (const { method, path, headers, body: template } of requests) {
    const target = filled(path, variables);
    const sent = template === '' ? undefined : filled(template, variables);
    if (headers.Accept === 'text/event-stream') {
      const stream = await appOn(engine).request(target, { method, headers });
      expect(stream.headers.get('content-type')).toBe('text/event-stream');
      await stream.body?.cancel();
      continue;
    }
    const authorization = filled(headers.Authorization ?? '', variables);
    const { status, body } = await client.raw(method, target, sent, {
      ...headers,
      Authorization: authorization,
    });
    expect(status, `${method} ${target}: ${JSON.stringify(body)}`).toBeOneOf([200, 201]);
    if (body.hold_id) variables.hold_id = String(body.hold_id);
    if (body.order_id) variables.order_id = String(body.order_id);
    if (path === '/api/admin/products') variables.product_id = String(body.id);
  }
}

test('sent from top to bottom, and once more, every request succeeds', async () => {
  const rules = JSON.stringify({ kind: 'rules', event: { productId: 1, version: 1 } });
  await engine.sql(
    "INSERT INTO dead_letters VALUES (0, 1, 0, 0, 'rules', '', ?, '[]', '', UTC_TIMESTAMP(3), NULL)",
    [rules],
  );
  const { id } = await makeProduct(engine);
  await sendAll(id);
  await sendAll(id);
});
