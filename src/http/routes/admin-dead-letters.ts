import { createRoute, OpenAPIHono, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { query } from '../../db/client.ts';
import { formatLetterId, parseLetterId } from '../../domain/dead-letters.ts';
import { Deadline } from '../../domain/deadline.ts';
import { COMMIT_BUDGET_MS } from '../budgets.ts';
import {
  deadLetterAnswer,
  deadLetterJson,
  LETTER_ID,
  replayAnswer,
  replayJson,
} from '../dead-letter-answer.ts';
import type { AppDeps } from '../deps.ts';
import { countAnswer, pathParameter } from '../fields.ts';
import { problem } from '../problems.ts';
import { refusals } from '../refusals.ts';
import { ADMIN, ADMIN_REFUSALS } from './admin-route.ts';

const TOLD_MAX = 100;

const listDeadLetters = createRoute({
  ...ADMIN,
  method: 'get',
  path: '/api/admin/dead-letters',
  operationId: 'listDeadLetters',
  summary: 'Journalled transitions that MySQL did not take',
  description: `The newest ${TOLD_MAX} of those that wait; with \`all=1\` also replayed ones.`,
  parameters: [
    {
      name: 'all',
      in: 'query',
      required: false,
      description: '`1` for replayed ones, too',
      example: '1',
      schema: { type: 'string' },
    },
  ],
  responses: {
    200: {
      description: 'Dead letters, the newest first',
      content: {
        'application/json': {
          schema: z
            .object({
              dead_letters: z.array(deadLetterAnswer).openapi({ description: 'The newest first' }),
              open: countAnswer('Number of all that wait, told here or not', 1),
            })
            .openapi('DeadLetters'),
        },
      },
    },
    ...refusals(...ADMIN_REFUSALS),
  },
});

const replayDeadLetter = createRoute({
  ...ADMIN,
  method: 'post',
  path: '/api/admin/dead-letters/{id}/replay',
  operationId: 'replayDeadLetter',
  summary: 'Write the rows of a dead letter, and of all that wait with it',
  description: 'All of its reservation, in one transaction, or nothing. Repeating it does nothing.',
  parameters: [pathParameter('id', 'Id of the dead letter', LETTER_ID)],
  responses: {
    200: {
      description: 'The rows are written, now or before',
      content: { 'application/json': { schema: replayAnswer } },
    },
    ...refusals('dead_letter_not_found', 'still_refused', ...ADMIN_REFUSALS),
  },
});

const unknown = (c: Context) =>
  problem(c, 'dead_letter_not_found', { detail: 'There is no such dead letter.' });

export function adminDeadLetterRoutes({ deadLetters }: AppDeps): OpenAPIHono {
  const routes = new OpenAPIHono();
  const ask = <T>(asking: Promise<T>) =>
    query(new Deadline(COMMIT_BUDGET_MS), 'dead letters', asking);

  routes.openapi(listDeadLetters, async (c) => {
    const all = c.req.query('all') === '1';
    const { letters, open } = await ask(deadLetters.list({ all, limit: TOLD_MAX }));
    return c.json({ dead_letters: letters.map(deadLetterJson), open }, 200);
  });

  routes.openapi(replayDeadLetter, async (c) => {
    const id = parseLetterId(c.req.param('id'));
    if (!id) return unknown(c);
    const outcome = await ask(deadLetters.replay(id));
    switch (outcome.status) {
      case 'not_found':
        return unknown(c);
      case 'still_refused': {
        const { letter, reason } = outcome;
        const refused = formatLetterId(letter.id);
        const detail = `MySQL still does not take ${refused}, and nothing was written: ${reason}`;
        return problem(c, 'still_refused', { detail, fields: { dead_letter: refused, reason } });
      }
      default:
        return c.json(replayJson(outcome), 200);
    }
  });

  return routes;
}
