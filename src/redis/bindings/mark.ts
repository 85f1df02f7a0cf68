import { bindScript } from '../script.ts';
import { type Gate, text, type Word, word } from './common.ts';

export type MarkReply =
  | Word<'closed' | 'stale'>
  | { status: 'marked'; nowMs: number; corrections: string };

export const markScript = bindScript({
  name: 'mark',
  args: (c: Gate & { productIds: readonly number[] }) => [c.epoch, c.run, c.call, ...c.productIds],
  reply: (values): MarkReply => {
    const { status, nowMs } = word<MarkReply['status']>(values);
    if (status !== 'marked') return { status, nowMs };
    return { status, nowMs, corrections: text(values[2]) };
  },
});
