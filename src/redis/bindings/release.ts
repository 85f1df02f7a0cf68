import type { ReservationState } from '../../domain/reservation.ts';
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

/** What was held or ordered, and until when. */
interface Released {
  nowMs: number;
  items: string;
  amountMinor: number;
  currency: string;
  deadlineMs: number;
}

export type ReleaseReply =
  | Refused
  | Missing
  | Word<'released', Released>
  | Word<'other', Released & { state: ReservationState; ordered: boolean }>;

export const releaseScript = bindScript({
  name: 'release',
  args: (
    c: Gate & {
      lateMs: number;
      id: string;
      from: 'held' | 'pending';
      facts?: Facts | undefined;
    },
  ) => [c.epoch, c.run, c.call, c.lateMs, c.id, c.from, ...factArguments(c.facts)],
  reply: (values): ReleaseReply => {
    const { status, nowMs } = word<ReleaseReply['status']>(values);
    if (status === 'missing') return { status, nowMs, position: text(values[2]) };
    if (status !== 'released' && status !== 'other') return { status, nowMs };
    const released = {
      nowMs,
      items: text(values[2]),
      amountMinor: number(values[3]),
      currency: text(values[4]),
      deadlineMs: number(values[5]),
    };
    if (status === 'released') return { status, ...released };
    const state = text(values[6]) as ReservationState;
    return { status, ...released, state, ordered: text(values[7]) === '1' };
  },
});
