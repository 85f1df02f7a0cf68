import type { ReceiptOutcome } from './outcomes.ts';
import type { Counters } from './product.ts';
import type { Item, ReservationState } from './reservation.ts';

/** The counters that units move between. */
export type UnitCounter = 'available' | 'held' | 'pending' | 'sold';

/** A reservation's step from one state to the next. */
export interface ReservationEvent {
  id: string;
  from: ReservationState | 'none';
  to: ReservationState;
  version: number;
  items: Item[];
  /** Where the units went, or undefined when they stayed where they were. */
  moved: { from: UnitCounter; to: UnitCounter } | undefined;
  buyer: string;
  counted: boolean;
  deadlineMs: number;
  amountMinor: number;
  currency: string;
  /** Price of one unit of each item, in minor units; only where a hold was made. */
  pricesMinor: number[];
  reference: string;
  key: string;
  fingerprint: string;
}

/** A change of a product's total. `key` is that of a stock adjustment, or '' for a new product. */
export interface StockEvent {
  productId: number;
  delta: number;
  key: string;
}

/** Redis has a product's rules up to this version. */
export interface RulesEvent {
  productId: number;
  version: number;
}

/** What became of a payment receipt. */
export interface OutcomeEvent {
  reference: string;
  id: string;
  outcome: ReceiptOutcome;
  orderState: ReservationState;
}

/** A field of an entry that this version cannot read; its raw text is kept. */
export interface UnreadableEvent {
  field: string;
  value: string;
  why: string;
}

/** One step that an entry tells of. */
export type Transition =
  | { kind: 'reservation'; event: ReservationEvent }
  | { kind: 'outcome'; event: OutcomeEvent }
  | { kind: 'stock'; event: StockEvent }
  | { kind: 'rules'; event: RulesEvent }
  | { kind: 'unreadable'; event: UnreadableEvent };

/** Redis' counters were put right by this much; the fold had them right all the time. */
export interface CorrectedEvent {
  productId: number;
  delta: Counters;
  /** The reconciliation that did it. */
  by: string;
}

/** Redis' counters as they stood at this entry; null for a product that Redis does not have. */
export interface MarkEvent {
  id: string;
  counters: Map<number, Counters | null>;
}

/** What happened to the counters of some products. */
export type UnitsByProduct = [productId: number, delta: Counters][];

/** One script call, as the outbox tells it. */
export interface JournalEntry {
  epoch: number;
  sequence: number;
  call: string;
  /** The call of the entry before, or `start` in the first entry of an epoch. */
  prev: string;
  atMs: number;
  /** Transitions of this epoch up to and with this entry. */
  emitted: number;
  reservations: ReservationEvent[];
  stock: StockEvent[];
  rules: RulesEvent[];
  outcomes: OutcomeEvent[];
  corrected: CorrectedEvent[];
  marks: MarkEvent[];
  unreadable: UnreadableEvent[];
  /** Counters after the call, of each product it touched. */
  counters: Map<number, Counters>;
}

/** What `prev` says in the first entry of an epoch. */
export const CHAIN_START = 'start';

/** The steps of an entry, each always at the same place. */
export const transitionsOf = (entry: JournalEntry): Transition[] => [
  ...entry.reservations.map((event): Transition => ({ kind: 'reservation', event })),
  ...entry.outcomes.map((event): Transition => ({ kind: 'outcome', event })),
  ...entry.stock.map((event): Transition => ({ kind: 'stock', event })),
  ...entry.rules.map((event): Transition => ({ kind: 'rules', event })),
  ...entry.unreadable.map((event): Transition => ({ kind: 'unreadable', event })),
];

/** Transitions as the scripts count them in `emitted`. */
export const transitionCount = (entry: JournalEntry): number =>
  entry.reservations.length +
  entry.stock.length +
  entry.rules.length +
  entry.outcomes.length +
  entry.corrected.length +
  entry.marks.length +
  entry.unreadable.length;
