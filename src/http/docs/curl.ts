import { type Call, exampleOf, type OpenApi } from './openapi.ts';

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** A command that makes the call, with the document's examples. `$URL` is where Holdfast is. */
export function curlOf(document: OpenApi, { method, path, operation }: Call): string {
  const { parameters = [], requestBody, security } = operation;
  const query = new URLSearchParams();
  const headers: string[] = [];
  let target = path;
  for (const { name, in: where, example } of parameters) {
    if (where === 'path') target = target.replace(`{${name}}`, String(example));
    else if (where === 'query') query.set(name, String(example));
    else headers.push(`-H ${quoted(`${name}: ${example}`)}`);
  }
  const url = `$URL${target}${query.size > 0 ? `?${query}` : ''}`;
  const isGet = method === 'GET';
  const isPlainPost = method === 'POST' && requestBody;
  const lines = [`curl -sS ${isGet || isPlainPost ? '' : `-X ${method} `}"${url}"`];
  if (security) lines.push('-H "Authorization: Bearer $ADMIN_TOKEN"');
  lines.push(...headers);
  const body = requestBody?.content['application/json']?.schema;
  if (body) {
    lines.push(`-H 'Content-Type: application/json'`);
    lines.push(`-d ${quoted(JSON.stringify(exampleOf(document, body)))}`);
  }
  return lines.join(' \\\n  ');
}
