import { bindScript, type ReplyValue } from '../script.ts';
import {
  type Facts,
  factArguments,
  type Gate,
  number,
  type Refused,
  text,
  type Word,
  word,
} from './common.ts';

export interface OrderCommand {
  lateMs: number;
  id: string;
  key: string;
  facts?: Facts | undefined;
}

export type OrderReply =
  | Word<'late' | 'mismatch' | 'repeated' | 'expired' | 'released' | 'used', unknown>
  | { status: 'missing'; position: string }
  | { status: 'ordered'; payByMs: number; items: string; amountMinor: number; currency: string };

function parseOrderReply(values: ReplyValue[]): OrderReply {
  const status = text(values[0]) as OrderReply['status'];
  if (status === 'missing') return { status, position: text(values[1]) };
  if (status !== 'ordered') return { status };
  return {
    status,
    payByMs: number(values[1]),
    items: text(values[2]),
    amountMinor: number(values[3]),
    currency: text(values[4]),
  };
}

export const orderScript = bindScript({
  name: 'order',
  args: (batch: Gate & { idempotencyTtlMs: number; requests: OrderCommand[] }) => {
    const requests = batch.requests.map(({ lateMs, id, key, facts }) => {
      const [record, epoch] = factArguments(facts);
      return [lateMs, id, key, record, String(epoch)];
    });
    const { epoch, run, call, idempotencyTtlMs } = batch;
    return [epoch, run, call, idempotencyTtlMs, JSON.stringify(requests)];
  },
  reply: (values): Refused | { status: 'batch'; nowMs: number; replies: OrderReply[] } => {
    const { status, nowMs } = word<'batch' | 'closed' | 'stale'>(values);
    if (status !== 'batch') return { status, nowMs };
    const replies: ReplyValue[][] = JSON.parse(text(values[2]));
    return { status, nowMs, replies: replies.map(parseOrderReply) };
  },
});
