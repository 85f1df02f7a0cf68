import type { TypedResponse } from 'hono';
import type { JSONParsed } from 'hono/utils/types';

/**
 * 201 with what was made and where it is. The same as `c.json(body, 201, { Location })`, which makes
 * a `Headers` object for two headers and costs a tenth of a hold's CPU.
 */
export function created<T>(
  body: T,
  location: string,
): Response & TypedResponse<JSONParsed<T>, 201, 'json'> {
  const headers = { 'Content-Type': 'application/json', Location: location };
  const response = new Response(JSON.stringify(body), { status: 201, headers });
  return response as Response & TypedResponse<JSONParsed<T>, 201, 'json'>;
}
