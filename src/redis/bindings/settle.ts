import type { Money, PaymentStatus } from '../../domain/outcomes.ts';
import type { ReservationState } from '../../domain/reservation.ts';
import { bindScript } from '../script.ts';
import {
  type Facts,
  factArguments,
  type Gate,
  type Missing,
  type Refused,
  text,
  type Word,
  word,
} from './common.ts';

export type SettleReply =
  | Refused
  | Missing
  | Word<'not_ordered' | 'not_paid' | 'again'>
  | Word<
      'applied' | 'ignored' | 'refund_due' | 'amount_mismatch' | 'duplicate',
      { nowMs: number; state: ReservationState }
    >;

export const settleScript = bindScript({
  name: 'settle',
  args: (
    c: Gate & {
      lateMs: number;
      id: string;
      reference: string;
      payment: PaymentStatus;
      money?: Money | undefined;
      due?: string | undefined;
      returnsUnits?: boolean | undefined;
      facts?: Facts | undefined;
    },
  ) => [
    ...[c.epoch, c.run, c.call, c.lateMs, c.id, c.reference, c.payment],
    ...[c.money?.amountMinor ?? '', c.money?.currency ?? ''],
    ...[c.due ?? '', String(c.returnsUnits ?? ''), ...factArguments(c.facts)],
  ],
  reply: (values): SettleReply => {
    const { status, nowMs } = word<SettleReply['status']>(values);
    switch (status) {
      case 'missing':
        return { status, nowMs, position: text(values[2]) };
      case 'applied':
      case 'ignored':
      case 'refund_due':
      case 'amount_mismatch':
      case 'duplicate':
        return { status, nowMs, state: text(values[2]) as ReservationState };
      default:
        return { status, nowMs };
    }
  },
});
