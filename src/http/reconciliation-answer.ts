import { z } from '@hono/zod-openapi';
import { countAnswer, momentAnswer, productIdAnswer, textAnswer } from './fields.ts';

const value = (description: string, example: Record<string, number>) =>
  z
    .union([
      z.string(),
      z.number(),
      z.null(),
      z.record(z.string(), z.union([z.string(), z.number()])),
    ])
    .openapi({ description: `${description}; its form and unit go by \`kind\``, example });

const findingAnswer = z
  .object({
    kind: textAnswer('What is wrong; docs/reconciliation.md has all kinds', 'redis_disagrees'),
    lane: countAnswer('Number of the partition, if it is about one').nullable(),
    product_id: productIdAnswer.nullable(),
    id: textAnswer('Of the hold, order or payment in question, or empty', ''),
    expected: value('What should be there', { held: 2 }),
    found: value('What is there', { held: 3 }),
    units: countAnswer('Units by which two accounts differ because of it', 1),
    repair: textAnswer('What a repair does, or what people must do', 'set the counters in Redis'),
    outcome: z
      .enum(['left', 'repaired', 'failed'])
      .openapi({ description: 'What this run did about it' }),
  })
  .openapi('Finding');

export const reconciliationIdAnswer = textAnswer('Id of the run', '9f86d081884c7d65');

/** A run of the reconciliation as it is remembered. */
export const pastReconciliationAnswer = z
  .object({
    id: reconciliationIdAnswer,
    cause: z.enum(['command', 'request', 'schedule']).openapi({ description: 'Who asked for it' }),
    product_id: productIdAnswer
      .nullable()
      .openapi({ description: 'Id of the product whose books were compared; null for all books' }),
    fix: z.boolean().openapi({ description: 'Whether it was to repair what it finds' }),
    started_at: momentAnswer('When it began'),
    finished_at: momentAnswer('When it was done; null while it runs or where it died').nullable(),
    drift: countAnswer('Units by which two accounts differ', 1),
    found: countAnswer('Number of findings; of very many only the first are listed', 1),
    repaired: countAnswer('Number of findings that it has repaired'),
    findings: z.array(findingAnswer).openapi({ description: 'What is not as it must be' }),
  })
  .openapi('PastReconciliation');

/** A run that was just made. */
export const reconciliationAnswer = pastReconciliationAnswer
  .extend({
    products: countAnswer('Number of products that were compared', 12),
    reservations: countAnswer('Number of holds and orders that were compared', 340),
  })
  .openapi('Reconciliation');
