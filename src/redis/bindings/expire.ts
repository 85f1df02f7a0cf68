import { bindScript } from '../script.ts';
import { type Gate, number, type Word, word } from './common.ts';

export type ExpireReply =
  | Word<'closed' | 'stale'>
  | { status: 'expired'; nowMs: number; count: number; more: boolean };

export const expireScript = bindScript({
  name: 'expire',
  args: (c: Gate) => [c.epoch, c.run, c.call],
  reply: (values): ExpireReply => {
    const { status, nowMs } = word<ExpireReply['status']>(values);
    if (status !== 'expired') return { status, nowMs };
    return { status, nowMs, count: number(values[2]), more: number(values[3]) === 1 };
  },
});
