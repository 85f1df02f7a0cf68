import { bindScript } from '../script.ts';
import { type Gate, number, type Refused, type Word, word } from './common.ts';

export type AdjustStockReply =
  | Refused
  | Word<'repeated' | 'unknown_product' | 'again' | 'adjusted'>
  | { status: 'insufficient'; nowMs: number; available: number };

export const adjustStockScript = bindScript({
  name: 'adjust_stock',
  args: (
    c: Gate & { lateMs: number; productId: number; delta: number; key: string; ttlMs: number },
  ) => [c.epoch, c.run, c.call, c.lateMs, c.productId, c.delta, c.key, c.ttlMs],
  reply: (values): AdjustStockReply => {
    const { status, nowMs } = word<AdjustStockReply['status']>(values);
    if (status !== 'insufficient') return { status, nowMs };
    return { status, nowMs, available: number(values[2]) };
  },
});
