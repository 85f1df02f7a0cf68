import { z } from '@hono/zod-openapi';
import { PROBLEMS, type ProblemCode, problemSchema } from './problem-table.ts';

/** A code, or a code that this route answers with another status than the table's. */
type Refusal = ProblemCode | { code: ProblemCode; status: number };

interface RefusalResponse {
  description: string;
  content: { 'application/problem+json': { schema: z.ZodType } };
  headers?: typeof RETRY_AFTER;
}

const RETRY_AFTER = {
  'Retry-After': {
    description: 'Seconds to wait',
    example: 1,
    schema: { type: 'integer' as const, minimum: 1 },
  },
};

/** Codes that `Retry-After` comes with; every 503 has it. */
const WAITING: readonly ProblemCode[] = [
  'sold_out',
  'sale_not_started',
  'sale_paused',
  'rate_limited',
];

function responseOf(status: number, codes: ProblemCode[]): RefusalResponse {
  const [first, second, ...rest] = codes.map(problemSchema);
  const schema =
    first && second ? z.discriminatedUnion('code', [first, second, ...rest]) : (first ?? z.never());
  const waits = status === 503 || codes.some((code) => WAITING.includes(code));
  return {
    description: codes.map((code) => `\`${code}\`: ${PROBLEMS[code].title}.`).join(' '),
    content: { 'application/problem+json': { schema } },
    ...(waits ? { headers: RETRY_AFTER } : {}),
  };
}

/**
 * The OpenAPI responses of a route's refusals, one for each status. Hidden from the route's type:
 * a handler returns them by `problem`, whose fields are typed by the code.
 */
export function refusals(...list: Refusal[]): Record<never, RefusalResponse> {
  const codesByStatus = new Map<number, ProblemCode[]>();
  for (const refusal of list) {
    const code = typeof refusal === 'string' ? refusal : refusal.code;
    const status = typeof refusal === 'string' ? PROBLEMS[refusal].status : refusal.status;
    codesByStatus.set(status, [...(codesByStatus.get(status) ?? []), code]);
  }
  return Object.fromEntries(
    [...codesByStatus].map(([status, codes]) => [status, responseOf(status, codes)]),
  );
}

/** What every route with a JSON body can refuse. */
export const BODY_REFUSALS = [
  'malformed_json',
  'body_too_large',
  'unsupported_media_type',
  'invalid_request',
] as const satisfies ProblemCode[];
