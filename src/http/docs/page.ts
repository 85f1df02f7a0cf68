import { html, raw } from 'hono/html';
import { PROBLEMS, type ProblemCode } from '../problem-table.ts';
import { callBlock, codesOf, fieldTable, type Html, json, prose } from './call.ts';
import { fieldsOf } from './fields.ts';
import { callsOf, exampleOf, type OpenApi, type Schema } from './openapi.ts';
import { STYLE } from './style.ts';

type Tag = OpenApi['tags'][number];

// What every problem document has is told once.
const STANDARD = ['type', 'title', 'status', 'code', 'detail', 'instance'];

const callsUnder = (document: OpenApi, tag: Tag) =>
  callsOf(document).filter(({ operation }) => operation.tags.includes(tag.name));

const navigation = (document: OpenApi): Html => html`
<nav aria-label="Calls">
  <a class="home" href="#top">${document.info.title}</a>
  ${document.tags.map(
    (tag) => html`
  <a class="tag" href="#${tag.name}">${tag.name}</a>
  ${callsUnder(document, tag).map(
    ({ method, path, operation }) => html`
  <a class="to" href="#${operation.operationId}"><b class="${method}">${method}</b>${path}</a>`,
  )}`,
  )}
  <a class="tag" href="#refusals">refusals</a>
</nav>`;

const tagSection = (document: OpenApi, tag: Tag): Html => html`
<section id="${tag.name}">
  <h2>${tag.name}</h2>
  <p class="lead">${prose(tag.description)}</p>
  ${callsUnder(document, tag).map((call) => callBlock(document, call))}
</section>`;

/** The schema of each code that some call refuses with. */
function problemsOf(document: OpenApi): Map<ProblemCode, Schema> {
  const problems = Object.values(document.components.schemas).flatMap((schema) =>
    codesOf(document, schema).map((code) => [code, schema] as const),
  );
  return new Map(problems.filter(([code]) => code in PROBLEMS));
}

function refusal(document: OpenApi, code: ProblemCode, schema: Schema): Html {
  const added = fieldsOf(document, schema).filter(({ path }) => !STANDARD.includes(path));
  return html`
<article id="${code}">
  <h3><a href="#${code}"><code>${code}</code></a></h3>
  <p class="summary">${PROBLEMS[code].status} ${PROBLEMS[code].title}</p>
  <p>${prose(schema.description ?? '')}</p>
  ${fieldTable('Its own fields', added)}
  <details><summary>Example</summary>${json(exampleOf(document, schema))}</details>
</article>`;
}

function refusals(document: OpenApi): Html {
  const problems = [...problemsOf(document)].sort(([a], [b]) => a.localeCompare(b));
  const any = problems[0]?.[1] ?? {};
  const standard = fieldsOf(document, any).filter(({ path }) => STANDARD.includes(path));
  const told = standard.map((field) => ({ ...field, type: 'text', example: '' }));
  return html`
<section id="refusals">
  <h2>refusals</h2>
  <p class="lead">Every refusal is <code>application/problem+json</code> (RFC 9457). These fields
  are in all of them; <code>code</code> says which one it is.</p>
  ${fieldTable(
    'In every refusal',
    told.map((field) => (field.path === 'status' ? { ...field, type: 'integer' } : field)),
  )}
  <div class="grid">${problems.map(([code, schema]) => refusal(document, code, schema))}</div>
</section>`;
}

/** The document as a page for people: no scripts, nothing from elsewhere. */
export const docsPage = (document: OpenApi): Html => html`<!doctype html>
<html lang="en" id="top">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${document.info.title} API ${document.info.version}</title>
<link rel="icon" href="data:,">
<style>${raw(STYLE)}</style>
</head>
<body>
${navigation(document)}
<main>
<header>
  <h1>${document.info.title} <small>${document.info.version}</small></h1>
  <p class="lead">${document.info.summary}.</p>
  <p>${prose(document.info.description)}</p>
  <p>In the examples <code>$URL</code> is where this page is, without <code>/docs</code>. Programs
  read the same from <a href="/openapi.json"><code>/openapi.json</code></a>.</p>
</header>
${document.tags.map((tag) => tagSection(document, tag))}
${refusals(document)}
</main>
</body>
</html>
`;
