import type { Argument, ReplyValue } from '../script.ts';

/** What every write script must be told; see lua/include/gate.lua. */
export interface Gate {
  epoch: number;
  run: string;
  call: string;
}

/** One type for each word, so that a `switch` on the word narrows. */
export type Word<Status extends string, Fields = { nowMs: number }> = Status extends string
  ? { status: Status } & Fields
  : never;

/** Gate refusals, shared by every write script. Every reply carries the server's clock. */
export type Refused = Word<'closed' | 'stale' | 'late'>;

/** MySQL's word for a record that Redis lacks, and the epoch it was read in. */
export interface Facts {
  record: string;
  epoch: number;
}

/** Redis does not know the reservation; MySQL's word counts from this journal position on. */
export type Missing = Word<'missing', { nowMs: number; position: string }>;

export const text = (value: ReplyValue | undefined): string => String(value ?? '');
export const number = (value: ReplyValue | undefined): number => Number(value);
export const optional = (value: number | null): Argument => value ?? '';
export const factArguments = (facts: Facts | undefined): Argument[] => [
  facts?.record ?? '',
  facts?.epoch ?? '',
];

export function word<Status extends string>(values: ReplyValue[]): Word<Status> {
  return { status: text(values[0]) as Status, nowMs: number(values[1]) } as Word<Status>;
}
