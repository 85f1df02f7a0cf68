import { type OpenApi, present, resolved, type Schema } from './openapi.ts';

/** A field as the page shows it. */
export interface Field {
  /** `items[].qty` for a field in a list. */
  path: string;
  type: string;
  isRequired: boolean;
  description: string;
  /** As JSON; '' where the fields below it have theirs, or its values are listed. */
  example: string;
}

const isNullable = ({ type, oneOf, anyOf }: Schema): boolean =>
  (Array.isArray(type) && type.includes('null')) ||
  (oneOf ?? anyOf ?? []).some((form) => form.type === 'null');

function range(min: number | undefined, max: number | undefined, unit: string): string {
  if (min === undefined && max === undefined) return '';
  // What JavaScript can count to goes without saying.
  const end = max === Number.MAX_SAFE_INTEGER ? undefined : max;
  if (min === end) return `, ${min}${unit}`;
  if (end === undefined) return min === undefined ? '' : `, ${min} or more${unit}`;
  return min === undefined ? `, up to ${end}${unit}` : `, ${min} to ${end}${unit}`;
}

const either = (names: string[]): string =>
  names.length < 2 ? names.join() : `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`;

function baseType(document: OpenApi, schema: Schema): string {
  const { type, format, items, enum: values, properties, additionalProperties } = schema;
  if (values) return either(values.filter((value) => value !== null).map((one) => `\`${one}\``));
  const forms = schema.properties ? undefined : (schema.oneOf ?? schema.anyOf);
  if (forms) return either(forms.map((form) => baseType(document, present(document, form))));
  if (items) {
    const count = range(schema.minItems, schema.maxItems, '');
    return `list of ${typeOf(document, items)}${count}`;
  }
  if (properties) return 'object';
  if (typeof additionalProperties === 'object') return 'object of values by name';
  const name = Array.isArray(type) ? type.filter((one) => one !== 'null').join(' or ') : type;
  if (format === 'date-time') return 'time';
  if (name === 'string') return `text${range(schema.minLength, schema.maxLength, ' characters')}`;
  return `${name ?? 'any'}${range(schema.minimum, schema.maximum, '')}`;
}

/** The type of a field in words, with its bounds. */
export function typeOf(document: OpenApi, schema: Schema): string {
  const whole = resolved(document, schema);
  const type = baseType(document, present(document, schema));
  return isNullable(whole) && !/\bnull\b/.test(type) ? `${type}, or null` : type;
}

/** Every field of a schema, those within others after them. */
export function fieldsOf(document: OpenApi, schema: Schema, prefix = ''): Field[] {
  const whole = present(document, schema);
  if (whole.items) return fieldsOf(document, whole.items, `${prefix}[]`);
  return Object.entries(whole.properties ?? {}).flatMap(([key, field]) => {
    const { description = '', example, enum: values } = present(document, field);
    const path = prefix === '' ? key : `${prefix}.${key}`;
    const below = fieldsOf(document, field, path);
    const isTold = below.length > 0 || values || example === undefined;
    return [
      {
        path,
        type: typeOf(document, field),
        isRequired: (whole.required ?? []).includes(key),
        description,
        example: isTold ? '' : JSON.stringify(example),
      },
      ...below,
    ];
  });
}
