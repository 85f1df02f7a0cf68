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

export type OrderReply =
  | Refused
  | Missing
  | Word<'mismatch' | 'repeated' | 'expired' | 'released' | 'used'>
  | {
      status: 'ordered';
      nowMs: number;
      payByMs: number;
      items: string;
      amountMinor: number;
      currency: string;
    };

export const orderScript = bindScript({
  name: 'order',
  args: (
    c: Gate & {
      lateMs: number;
      id: string;
      key: string;
      idempotencyTtlMs: number;
      facts?: Facts | undefined;
    },
  ) => [
    c.epoch,
    c.run,
    c.call,
    c.lateMs,
    c.id,
    c.key,
    c.idempotencyTtlMs,
    ...factArguments(c.facts),
  ],
  reply: (values): OrderReply => {
    const { status, nowMs } = word<OrderReply['status']>(values);
    if (status === 'missing') return { status, nowMs, position: text(values[2]) };
    if (status !== 'ordered') return { status, nowMs };
    return {
      status,
      nowMs,
      payByMs: number(values[2]),
      items: text(values[3]),
      amountMinor: number(values[4]),
      currency: text(values[5]),
    };
  },
});
