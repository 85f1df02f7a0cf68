import { bindScript, type ReplyValue } from '../script.ts';
import { text, word } from './common.ts';

/** A product's counters and rules as Redis has them; undefined when the lane does not have it. */
export type ProductFields = Map<string, string> | undefined;

const PRODUCT_FIELDS = [
  'name',
  'total',
  'available',
  'held',
  'pending',
  'sold',
  'status',
  'starts_at_ms',
  'ends_at_ms',
  'hold_ttl_ms',
  'pay_ttl_ms',
  'max_per_hold',
  'max_per_buyer',
  'price_minor',
  'currency',
  'extend_ms',
] as const;

export const readProductsScript = bindScript({
  name: 'read_products',
  args: (c: { productIds: number[] }) => c.productIds,
  reply: (
    values,
  ): { status: 'closed' } | { status: 'products'; nowMs: number; products: ProductFields[] } => {
    const { status, nowMs } = word<'closed' | 'products'>(values);
    if (status === 'closed') return { status };
    const products = values.slice(2).map((fields) => {
      const list = fields as ReplyValue[];
      if (list.length === 0) return undefined;
      return new Map(PRODUCT_FIELDS.map((name, index) => [name, text(list[index])]));
    });
    return { status, nowMs, products };
  },
});
