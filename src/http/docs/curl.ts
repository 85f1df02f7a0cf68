import { type Call, exampleOf, exampleOfParameter, type OpenApi } from './openapi.ts';

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** A command that makes the call, with the document's examples. `$URL` is where Holdfast is. */
export function curlOf(document: OpenApi, { method, path, operation }: Call): string {
  const { parameters = [], requestBody, responses, security } = operation;
  const query = new URLSearchParams();
  const headers: string[] = [];
  let target = path;
  for (const parameter of parameters) {
    const { name, in: where } = parameter;
    const example = String(exampleOfParameter(document, parameter));
    if (where === 'path') target = target.replace(`{${name}}`, example);
    else if (where === 'query') query.set(name, example);
    else headers.push(`-H ${quoted(`${name}: ${example}`)}`);
  }
  const url = `$URL${target}${query.size > 0 ? `?${query}` : ''}`;
  const isGet = method === 'GET';
  const isPlainPost = method === 'POST' && requestBody;
  // Shows each event once it is there.
  const unbuffered = responses[200]?.content?.['text/event-stream'] ? '-N ' : '';
  const lines = [`curl -sS ${unbuffered}${isGet || isPlainPost ? '' : `-X ${method} `}"${url}"`];
  if (security) lines.push('-H "Authorization: Bearer $ADMIN_TOKEN"');
  lines.push(...headers);
  const body = requestBody?.content['application/json']?.schema;
  if (body) {
    lines.push(`-H 'Content-Type: application/json'`);
    lines.push(`-d ${quoted(JSON.stringify(exampleOf(document, body)))}`);
  }
  return lines.join(' \\\n  ');
}
