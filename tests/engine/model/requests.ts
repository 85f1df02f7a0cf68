import type { Line, Reservation } from './ledger.ts';

// What is asked, and what an answer says, in the words of the contract.

export type Change = Partial<{
  status: 'active' | 'paused';
  priceMinor: number;
  extendMs: number;
  startsAtMs: number | null;
  endsAtMs: number | null;
  maxPerHold: number | null;
  maxPerBuyer: number;
}>;

export type Request =
  | { do: 'hold'; lines: Line[]; buyer: string; key: string }
  | { do: 'order'; id: string; key: string }
  | { do: 'read_hold' | 'release' | 'extend' | 'read_order' | 'cancel'; id: string }
  | { do: 'pay'; id: string; reference: string; payment: 'success' | 'failed' }
  | { do: 'adjust'; productId: number; delta: number; key: string }
  | { do: 'change'; productId: number; change: Change };

/** An answer, reduced to what both sides can know. */
export type Answer = Record<string, unknown> & { status: string };

/** What only the engine can tell of something new. */
export interface Told {
  id: string;
  deadlineMs: number;
}

export interface Expected {
  answer: Answer;
  /** Takes down what the engine told of a new hold or order. */
  accept?: (told: Told) => void;
}

export const refused = (status: string, more: object = {}): Expected => ({
  answer: { status, ...more },
});
export const worth = ({ amountMinor, currency, lines }: Reservation) => ({
  amountMinor,
  currency,
  lines,
});
