import type { Context } from 'hono';
import { type ProblemResponse, problem } from './problems.ts';

// Ids that nothing has, and texts that are no ids: to their callers the same.

export const unknownProduct = (c: Context): ProblemResponse =>
  problem(c, 'product_not_found', { detail: 'There is no such product.' });

export const unknownHold = (c: Context): ProblemResponse =>
  problem(c, 'hold_not_found', { detail: 'There is no such hold.' });

export const unknownOrder = (c: Context): ProblemResponse =>
  problem(c, 'order_not_found', { detail: 'There is no such order.' });
