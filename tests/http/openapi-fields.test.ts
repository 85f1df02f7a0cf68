import { createConfig, lintFromString } from '@redocly/openapi-core';
import { expect, test } from 'vitest';
import { exampleOf, present, type Schema } from '../../src/http/docs/openapi.ts';
import { calls, expectFits, openApi } from './document.ts';

/** What a number can be of: a unit, something counted, or the name of something. */
const UNIT = /\b(units?|milliseconds|seconds|number of|id of|status)\b/i;

const RULES = {
  'no-invalid-schema-examples': 'error',
  'no-invalid-parameter-examples': 'error',
  'no-invalid-media-type-examples': 'error',
  // A read that takes nothing has nothing to refuse.
  'operation-4xx-response': 'off',
} as const;

const typesOf = ({ type }: Schema) => (Array.isArray(type) ? type : [type]);

/** What is missing at a field and at those within it; `schema` is as the field spells it. */
function missing(schema: Schema, where: string): string[] {
  const whole = present(openApi, schema);
  const told = whole.description ? [] : [`${where} has no description`];
  if (whole.properties) {
    const fields = Object.entries(whole.properties);
    return [...told, ...fields.flatMap(([key, field]) => missing(field, `${where}.${key}`))];
  }
  if (whole.items?.$ref) return told;
  if (whole.items)
    return [...told, ...missing({ description: 'of the list', ...whole.items }, `${where}[]`)];
  const isPlain = whole.enum || whole.const !== undefined || whole.type === 'boolean';
  if (!isPlain && whole.example === undefined) told.push(`${where} has no example`);
  const isNumber = typesOf(whole).some((type) => type === 'integer' || type === 'number');
  if (isNumber && !UNIT.test(whole.description ?? '')) told.push(`${where} has no unit: ${UNIT}`);
  return told;
}

/** The same of a whole object, whose name says what it is. */
const missingIn = (name: string, schema: Schema): string[] =>
  missing({ description: name, ...schema }, name);

// To mend what these two find: `.openapi({ description, example })` at the field, or the helpers of
// src/http/fields.ts. Shared schemas are looked at once.
test('every field of every shared schema says what it is, with its unit and an example', () => {
  const schemas = Object.entries(openApi.components.schemas);
  expect(schemas.length).toBeGreaterThan(50);
  expect(schemas.flatMap(([name, schema]) => missingIn(name, schema))).toEqual([]);
});

test.for(calls)('$method $path: so does every parameter, header and body', ({ operation }) => {
  const { parameters = [], requestBody, responses, ...told } = operation;
  expect(told.description).toMatch(/\.$/);
  expect(told.tags.map((tag) => openApi.tags.find(({ name }) => name === tag))).not.toContain(
    undefined,
  );
  const headers = Object.values(responses).flatMap((reply) => Object.entries(reply.headers ?? {}));
  for (const [name, { schema, ...said }] of [
    ...parameters.map((parameter) => [parameter.name, parameter] as const),
    ...headers,
  ]) {
    expect(missing({ ...schema, ...said } as Schema, name)).toEqual([]);
  }
  for (const reply of [requestBody, ...Object.values(responses)]) {
    const [[media, { schema }] = ['none', { schema: undefined }]] = Object.entries(
      reply?.content ?? {},
    );
    if (schema && !schema.$ref && !schema.oneOf) expect(missingIn(media, schema)).toEqual([]);
  }
});

test('every example fits its schema, made whole or of one field', () => {
  for (const [name, schema] of Object.entries(openApi.components.schemas)) {
    expectFits(schema, exampleOf(openApi, schema), `the example of ${name}`);
    for (const [key, field] of Object.entries(schema.properties ?? {})) {
      if (field.example !== undefined) expectFits(field, field.example, `${name}.${key}`);
    }
  }
  for (const { method, path, operation } of calls) {
    for (const { content = {} } of Object.values(operation.responses)) {
      for (const { schema, example } of Object.values(content)) {
        if (example !== undefined) expectFits(schema, example, `the example of ${method} ${path}`);
      }
    }
  }
});

test('every event in the example of a stream has the fields of a product', () => {
  const streams = calls.flatMap(({ operation }) => {
    const content = operation.responses[200]?.content?.['text/event-stream'];
    return content ? [String(content.schema.example)] : [];
  });
  expect(streams).toHaveLength(1);
  const events = streams.flatMap((text) => [...text.matchAll(/^event: stock\ndata: (.+)\n\n/gm)]);
  expect(events.length).toBeGreaterThan(0);
  const product = openApi.components.schemas.Product ?? {};
  for (const [event, data = ''] of events) expectFits(product, JSON.parse(data), event);
});

test('a public linter finds nothing wrong with it', async () => {
  const source = JSON.stringify(openApi);
  const config = await createConfig({ extends: ['recommended'], rules: RULES });
  const problems = await lintFromString({ source, absoluteRef: '/openapi.json', config });
  expect(
    problems.map(({ ruleId, severity, message, location }) =>
      [severity, ruleId, message, location[0]?.pointer].join(' '),
    ),
  ).toEqual([]);
});
