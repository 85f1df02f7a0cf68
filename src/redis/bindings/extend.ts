import { bindScript } from '../script.ts';
import {
  type Facts,
  factArguments,
  type Gate,
  type Missing,
  number,
  type Refused,
  text,
  type Word,
  word,
} from './common.ts';

export type ExtendReply =
  | Refused
  | Missing
  | Word<'used' | 'expired' | 'released' | 'not_allowed'>
  | {
      status: 'extended';
      nowMs: number;
      items: string;
      amountMinor: number;
      currency: string;
      deadlineMs: number;
    };

export const extendScript = bindScript({
  name: 'extend',
  args: (c: Gate & { lateMs: number; id: string; facts?: Facts | undefined }) => [
    c.epoch,
    c.run,
    c.call,
    c.lateMs,
    c.id,
    ...factArguments(c.facts),
  ],
  reply: (values): ExtendReply => {
    const { status, nowMs } = word<ExtendReply['status']>(values);
    if (status === 'missing') return { status, nowMs, position: text(values[2]) };
    if (status !== 'extended') return { status, nowMs };
    return {
      status,
      nowMs,
      items: text(values[2]),
      amountMinor: number(values[3]),
      currency: text(values[4]),
      deadlineMs: number(values[5]),
    };
  },
});
