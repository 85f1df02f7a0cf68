import { html } from 'hono/html';
import { GUIDE } from '../problem-guide.ts';
import type { ProblemCode } from '../problem-table.ts';
import { curlOf } from './curl.ts';
import { type Field, fieldsOf, typeOf } from './fields.ts';
import {
  type Call,
  exampleOf,
  exampleOfParameter,
  formsOf,
  type OpenApi,
  type Parameter,
  type Reply,
  resolved,
  type Schema,
} from './openapi.ts';

/** A piece of the page. */
export type Html = ReturnType<typeof html>;

/** Text with `code` between backticks, as descriptions are written. */
export const prose = (text: string): Html[] =>
  text
    .split('`')
    .map((part, index) => (index % 2 === 1 ? html`<code>${part}</code>` : html`${part}`));

/** A JSON example, indented. */
export const json = (value: unknown): Html =>
  html`<pre><code>${JSON.stringify(value, null, 2)}</code></pre>`;

// What leads to a field is told by the rows above; a long path may break before each name.
function pathOf(path: string): Html {
  const end = path.lastIndexOf('.') + 1;
  const way = path.slice(0, end).split(/(?<=\.)/);
  return html`<code>${way.map((step) => html`<span>${step}</span><wbr>`)}${path.slice(end)}</code>`;
}

const fieldRow = ({ path, type, isRequired, description, example }: Field): Html => html`
    <tr>
      <th scope="row">${pathOf(path)}${isRequired ? '' : html` <i>optional</i>`}</th>
      <td>${prose(type)}</td>
      <td>${prose(description)}${example ? html` <small>${example}</small>` : ''}</td>
    </tr>`;

/** Fields, one a row, under a caption; nothing where there are none. */
export const fieldTable = (caption: string, fields: Field[]): Html | '' =>
  fields.length === 0
    ? ''
    : html`
  <table class="fields">
    <caption>${caption}</caption>
    <tbody>${fields.map(fieldRow)}
    </tbody>
  </table>`;

type Described = Omit<Parameter, 'name' | 'in'>;

function fieldOf(document: OpenApi, path: string, isRequired: boolean, told: Described): Field {
  // Values that are listed are their own example.
  const example = told.schema.enum ? '' : String(exampleOfParameter(document, told) ?? '');
  const type = typeOf(document, told.schema);
  return { path, type, isRequired, description: told.description ?? '', example };
}

const PLACES = [
  ['path', 'In the path'],
  ['query', 'In the query'],
  ['header', 'Headers of the request'],
] as const;

function parameterTables(document: OpenApi, { operation }: Call): (Html | '')[] {
  const { parameters = [] } = operation;
  return PLACES.map(([place, caption]) =>
    fieldTable(
      caption,
      parameters
        .filter((parameter) => parameter.in === place)
        .map((parameter) =>
          fieldOf(document, parameter.name, parameter.required === true, parameter),
        ),
    ),
  );
}

const headersOf = (document: OpenApi, { headers = {} }: Reply): Field[] =>
  Object.entries(headers).map(([name, header]) => fieldOf(document, name, true, header));

function answerTables(document: OpenApi, schema: Schema): (Html | '')[] {
  const forms = formsOf(document, schema);
  return forms.map((form) => {
    const what = forms.length > 1 ? `: ${resolved(document, form).description}` : '';
    return fieldTable(`Answer${what}`, fieldsOf(document, form));
  });
}

/** The codes of a refusal's schema. */
export function codesOf(document: OpenApi, schema: Schema): ProblemCode[] {
  const forms = schema.oneOf ?? [schema];
  return forms.flatMap(
    (form) => (resolved(document, form).properties?.code?.enum ?? []) as ProblemCode[],
  );
}

function refusalTable(document: OpenApi, { responses }: Call['operation']): Html | '' {
  const refusals = Object.entries(responses).flatMap(([status, { content = {} }]) => {
    const schema = content['application/problem+json']?.schema;
    return schema ? codesOf(document, schema).map((code) => ({ status, code })) : [];
  });
  if (refusals.length === 0) return '';
  return html`
  <table class="refusals">
    <caption>Refusals</caption>
    <tbody>${refusals.map(
      ({ status, code }) => html`
    <tr>
      <td class="status">${status}</td>
      <th scope="row"><a href="#${code}"><code>${code}</code></a></th>
      <td>${prose(GUIDE[code].todo)}</td>
    </tr>`,
    )}
    </tbody>
  </table>`;
}

function answerBlock(document: OpenApi, status: string, reply: Reply): { told: Html; shown: Html } {
  const [[type, media] = ['', undefined]] = Object.entries(reply.content ?? {});
  const schema = media?.schema ?? {};
  const example = media?.example ?? exampleOf(document, schema);
  const isJson = type === 'application/json';
  return {
    told: html`
  <h4>${status} <span>${prose(reply.description)}</span></h4>
  ${fieldTable('Headers', headersOf(document, reply))}
  ${isJson ? answerTables(document, schema) : html`<p>${prose(schema.description ?? '')}</p>`}`,
    shown: html`
  <p class="title">${status} ${type}</p>
  ${isJson ? json(example) : html`<pre><code>${String(example ?? '')}</code></pre>`}`,
  };
}

/** One call: what it takes, what it answers, what it refuses, and how it looks. */
export function callBlock(document: OpenApi, call: Call): Html {
  const { method, path, operation } = call;
  const { operationId, summary, description = '', requestBody, responses, security } = operation;
  const body = requestBody?.content['application/json']?.schema;
  const successes = Object.entries(responses)
    .filter(([status]) => status.startsWith('2'))
    .map(([status, reply]) => answerBlock(document, status, reply));
  return html`
<article id="${operationId}">
  <h3><a href="#${operationId}"><b class="${method}">${method}</b> ${path}</a></h3>
  <p class="summary">${prose(summary)}</p>
  <p>${prose(description)}</p>
  ${security ? html`<p>Needs <code>Authorization: Bearer $ADMIN_TOKEN</code>.</p>` : ''}
  <div class="columns">
  <div class="told">
  ${parameterTables(document, call)}
  ${body ? fieldTable('Body', fieldsOf(document, body)) : ''}
  ${body ? html`<p>${prose(resolved(document, body).description ?? '')}</p>` : ''}
  ${successes.map(({ told }) => told)}
  ${refusalTable(document, operation)}
  </div>
  <div class="shown">
  <p class="title">${operationId}</p>
  <pre><code>${curlOf(document, call)}</code></pre>
  ${successes.map(({ shown }) => shown)}
  </div>
  </div>
</article>`;
}
