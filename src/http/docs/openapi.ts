/** A JSON Schema, as far as this API's document has any. */
export interface Schema {
  $ref?: string;
  type?: string | string[];
  format?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  additionalProperties?: Schema | boolean;
  allOf?: Schema[];
  anyOf?: Schema[];
  oneOf?: Schema[];
  enum?: unknown[];
  const?: unknown;
  description?: string;
  example?: unknown;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
  pattern?: string;
}

/** A parameter, or the header of a response, which then has neither `name` nor `in`. */
export interface Parameter {
  name: string;
  in: 'path' | 'query' | 'header';
  required?: boolean;
  description?: string;
  example?: unknown;
  schema: Schema;
}

/** A body, and what it looks like where the example of its schema is of another case. */
export interface Media {
  schema: Schema;
  example?: unknown;
}

export interface Reply {
  description: string;
  headers?: Record<string, Omit<Parameter, 'name' | 'in'>>;
  content?: Record<string, Media>;
}

export interface Operation {
  operationId: string;
  summary: string;
  description?: string;
  tags: string[];
  parameters?: Parameter[];
  requestBody?: { required?: boolean; content: Record<string, Media> };
  responses: Record<string, Reply>;
  security?: object[];
}

/** The OpenAPI document of this API. */
export interface OpenApi {
  openapi: string;
  info: { title: string; version: string; summary: string; description: string };
  tags: { name: string; description: string }[];
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema> };
}

/** An operation, and how it is called. */
export interface Call {
  /** In capitals. */
  method: string;
  path: string;
  operation: Operation;
}

/** Every call, in the order of the document. */
export const callsOf = ({ paths }: OpenApi): Call[] =>
  Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => ({
      method: method.toUpperCase(),
      path,
      operation,
    })),
  );

/** The name of the component that a schema is, or undefined. */
export const nameOf = ({ $ref }: Schema): string | undefined => $ref?.split('/').at(-1);

/** What a schema says once its reference is followed, and the parts of an `allOf` are put together. */
export function resolved(document: OpenApi, schema: Schema): Schema {
  const name = nameOf(schema);
  const { $ref, allOf = [], ...own } = schema;
  const parts = allOf.map((part) => resolved(document, part));
  const target = name === undefined ? {} : document.components.schemas[name];
  if (!target) throw new Error(`the document has no ${$ref}`);
  const all = [...(name === undefined ? [] : [resolved(document, target)]), ...parts, own];
  return {
    ...Object.assign({}, ...all),
    ...(all.some(({ properties }) => properties)
      ? {
          properties: Object.assign({}, ...all.map(({ properties }) => properties)),
          required: all.flatMap(({ required = [] }) => required),
        }
      : {}),
  };
}

/** The same; where it may be null, what it is otherwise. */
export function present(document: OpenApi, schema: Schema): Schema {
  const whole = resolved(document, schema);
  const others = (whole.oneOf ?? whole.anyOf)?.filter(({ type }) => type !== 'null');
  const [only, second] = others ?? [];
  if (!only || second || whole.properties) return whole;
  const { oneOf: _, anyOf: __, ...rest } = whole;
  return { ...resolved(document, only), ...rest };
}

/**
 * A value that fits a schema, made of the examples of its fields. Optional fields are there; of
 * several forms of an object its own example shows one.
 */
export function exampleOf(document: OpenApi, schema: Schema): unknown {
  const whole = present(document, schema);
  if (whole.example !== undefined) return whole.example;
  if (whole.const !== undefined) return whole.const;
  if (whole.enum) return whole.enum[0];
  if (whole.properties) {
    const entries = Object.entries(whole.properties);
    return Object.fromEntries(entries.map(([key, field]) => [key, exampleOf(document, field)]));
  }
  if (whole.items) return [exampleOf(document, whole.items)];
  return whole.type === 'boolean' ? true : null;
}

/** The value of a parameter in an example; its schema may be what has it. */
export const exampleOfParameter = (
  document: OpenApi,
  { example, schema }: Pick<Parameter, 'example' | 'schema'>,
): unknown => example ?? exampleOf(document, schema);

/** The forms that a value may have; of most schemas only one. */
export function formsOf(document: OpenApi, schema: Schema): Schema[] {
  const { properties, oneOf, anyOf } = present(document, schema);
  return (properties ? undefined : (oneOf ?? anyOf)) ?? [schema];
}
