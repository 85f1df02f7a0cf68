import type { Counters } from '../../domain/product.ts';
import { bindScript } from '../script.ts';
import { type Gate, type Word, word } from './common.ts';

export type CorrectReply = Word<'closed' | 'stale' | 'changed' | 'unknown_product' | 'corrected'>;

export const correctScript = bindScript({
  name: 'correct',
  args: (c: Gate & { corrections: string; by: string; productId: number; units: Counters }) => [
    c.epoch,
    c.run,
    c.call,
    c.corrections,
    c.by,
    c.productId,
    c.units.total,
    c.units.available,
    c.units.held,
    c.units.pending,
    c.units.sold,
  ],
  reply: (values): CorrectReply => word(values),
});
