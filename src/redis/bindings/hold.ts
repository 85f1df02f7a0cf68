import { formatItems, type Item } from '../../domain/reservation.ts';
import { bindScript, type ReplyValue } from '../script.ts';
import { type Gate, number, type Refused, text, type Word, word } from './common.ts';

export interface HoldCommand {
  lateMs: number;
  id: string;
  items: Item[];
  buyer: string;
  key: string;
  fingerprint: string;
}

export type HoldReply =
  | Word<'late' | 'again' | 'mismatch' | 'overloaded' | 'mixed_currencies', unknown>
  | { status: 'repeated'; id: string; deadlineMs: number; amountMinor: number; currency: string }
  | Word<'unknown_product' | 'paused' | 'buyer_required', { productId: number }>
  | { status: 'not_started'; productId: number; startsAtMs: number }
  | { status: 'ended'; productId: number; endsAtMs: number }
  | { status: 'qty_above_limit'; productId: number; maxPerHold: number }
  | { status: 'buyer_limit'; productId: number; maxPerBuyer: number; units: number }
  | { status: 'sold_out'; productId: number; available: number; earliestDeadlineMs: number }
  | { status: 'held'; deadlineMs: number; amountMinor: number; currency: string };

function parseHoldReply(values: ReplyValue[]): HoldReply {
  const status = text(values[0]) as HoldReply['status'];
  switch (status) {
    case 'held':
      return {
        status,
        deadlineMs: number(values[1]),
        amountMinor: number(values[2]),
        currency: text(values[3]),
      };
    case 'repeated':
      return {
        status,
        id: text(values[1]),
        deadlineMs: number(values[2]),
        amountMinor: number(values[3]),
        currency: text(values[4]),
      };
    case 'unknown_product':
    case 'paused':
    case 'buyer_required':
      return { status, productId: number(values[1]) };
    case 'not_started':
      return { status, productId: number(values[1]), startsAtMs: number(values[2]) };
    case 'ended':
      return { status, productId: number(values[1]), endsAtMs: number(values[2]) };
    case 'qty_above_limit':
      return { status, productId: number(values[1]), maxPerHold: number(values[2]) };
    case 'buyer_limit':
      return {
        status,
        productId: number(values[1]),
        maxPerBuyer: number(values[2]),
        units: number(values[3]),
      };
    case 'sold_out':
      return {
        status,
        productId: number(values[1]),
        available: number(values[2]),
        earliestDeadlineMs: number(values[3]),
      };
    default:
      return { status };
  }
}

export const holdScript = bindScript({
  name: 'hold',
  args: (batch: Gate & { idempotencyTtlMs: number; requests: HoldCommand[] }) => {
    // JSON in both directions: flat arguments and nested replies cost more of the API's CPU.
    const requests = batch.requests.map(({ lateMs, id, items, buyer, key, fingerprint }) => [
      lateMs,
      id,
      formatItems(items),
      buyer,
      key,
      fingerprint,
    ]);
    const { epoch, run, call, idempotencyTtlMs } = batch;
    return [epoch, run, call, idempotencyTtlMs, JSON.stringify(requests)];
  },
  reply: (values): Refused | { status: 'batch'; nowMs: number; replies: HoldReply[] } => {
    const { status, nowMs } = word<'batch' | 'closed' | 'stale'>(values);
    if (status !== 'batch') return { status, nowMs };
    const replies: ReplyValue[][] = JSON.parse(text(values[2]));
    return { status, nowMs, replies: replies.map(parseHoldReply) };
  },
});
