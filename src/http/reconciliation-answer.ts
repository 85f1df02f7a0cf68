import { z } from '@hono/zod-openapi';
import { momentAnswer } from './fields.ts';

const value = z.union([
  z.string(),
  z.number(),
  z.null(),
  z.record(z.string(), z.union([z.string(), z.number()])),
]);

const findingAnswer = z
  .object({
    kind: z.string().openapi({ example: 'redis_disagrees' }),
    lane: z.int().nullable(),
    product_id: z.int().nullable(),
    id: z.string().openapi({ description: 'Of the hold, order or payment in question, or empty' }),
    expected: value,
    found: value,
    units: z.int().openapi({ description: 'Units by which two accounts differ because of it' }),
    repair: z.string().openapi({ description: 'What a repair does, or what people must do' }),
    outcome: z.enum(['left', 'repaired', 'failed']),
  })
  .openapi('Finding');

/** A run of the reconciliation as it is remembered. */
export const pastReconciliationAnswer = z
  .object({
    id: z.string(),
    cause: z.enum(['command', 'request', 'schedule']),
    product_id: z.int().nullable().openapi({ description: 'null for all books' }),
    fix: z.boolean(),
    started_at: momentAnswer,
    finished_at: momentAnswer.nullable(),
    drift: z.int().openapi({ description: 'Units by which two accounts differ' }),
    found: z.int().openapi({ description: 'All findings; of very many only the first are listed' }),
    repaired: z.int(),
    findings: z.array(findingAnswer),
  })
  .openapi('PastReconciliation');

/** A run that was just made. */
export const reconciliationAnswer = pastReconciliationAnswer
  .extend({ products: z.int(), reservations: z.int() })
  .openapi('Reconciliation', { description: '`products` and `reservations` were compared.' });
