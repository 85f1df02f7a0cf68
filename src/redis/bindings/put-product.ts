import type { ProductRules } from '../../domain/product.ts';
import { bindScript } from '../script.ts';
import { type Gate, optional, type Refused, type Word, word } from './common.ts';

export type PutProductReply = Refused | Word<'no_counters' | 'created' | 'unchanged' | 'updated'>;

export const putProductScript = bindScript({
  name: 'put_product',
  args: (
    c: Gate & {
      lateMs: number;
      productId: number;
      rulesVersion: number;
      initialStock: number | null;
      rules: ProductRules;
    },
  ) => [
    c.epoch,
    c.run,
    c.call,
    c.lateMs,
    c.productId,
    c.rulesVersion,
    optional(c.initialStock),
    c.rules.name,
    c.rules.status,
    optional(c.rules.startsAtMs),
    optional(c.rules.endsAtMs),
    c.rules.holdTtlMs,
    c.rules.payTtlMs,
    optional(c.rules.maxPerHold),
    optional(c.rules.maxPerBuyer),
    c.rules.priceMinor,
    c.rules.currency,
    optional(c.rules.extendMs || null),
  ],
  reply: (values): PutProductReply => word(values),
});
