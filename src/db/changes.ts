import type {
  MarkEvent,
  OutcomeEvent,
  ReservationEvent,
  StockEvent,
  Transition,
  UnitsByProduct,
} from '../domain/journal.ts';
import type { Counters } from '../domain/product.ts';
import type { OrderState } from '../domain/reservation.ts';

/** What became of a hold. Times are milliseconds since 1970, by the Redis server's clock. */
export interface HoldChange {
  state: 'held' | 'ordered' | 'released' | 'expired';
  version: number;
  endedAtMs: number | null;
  /** Of a hold that was extended; null where its deadline stays. */
  expiresAtMs: number | null;
}

export interface OrderChange {
  state: OrderState;
  version: number;
  counted: boolean;
  reference: string | null;
  /** Null changes nothing, as below. */
  settledAtMs: number | null;
  refundedAtMs: number | null;
}

/** A row that this batch makes, with what became of it within the batch. */
type Made<Change> = Change & { event: ReservationEvent; atMs: number };

/** An entry's place in its lane's journal. */
export interface Position {
  epoch: number;
  sequence: number;
}

/** What a run of entries did to the stock of a product, and what Redis had meanwhile. */
export interface StockChange extends Position {
  /** What it came to; null where a transition could not be read, and Redis is believed. */
  delta: Counters | null;
  /** What the transitions that could be read say. */
  told: Counters;
  redisBefore: Counters;
  redisAfter: Counters;
  first: Position;
  /** The first entry that did not follow from the one before. */
  broke: (Position & { expected: Counters; found: Counters }) | undefined;
}

/** A mark, and what the entries before it in the same run did to its products. */
export interface MarkChange extends Position {
  event: MarkEvent;
  atMs: number;
  deltas: Map<number, Counters>;
  /** Where Redis is believed instead: what it had at the last entry before. */
  believed: Map<number, Counters>;
}

/** A transition whose rows cannot be written. Its units move all the same. */
export interface DeadLetter extends Position {
  /** Its place among the transitions of its entry. */
  ordinal: number;
  transition: Transition;
  /** Whose later transitions follow it; '' for none. */
  reservation: string;
  units: UnitsByProduct;
  atMs: number;
  error: string;
}

/** A step of a reservation, for its history. */
export interface HistoryRow extends Position {
  event: ReservationEvent;
  atMs: number;
}

/** The last state of every row that a run of journal entries touches, by reservation or product. */
export interface RowChanges {
  lane: number;
  holdsMade: Map<string, Made<HoldChange>>;
  holdsChanged: Map<string, HoldChange>;
  ordersMade: Map<string, Made<OrderChange>>;
  ordersChanged: Map<string, OrderChange>;
  outcomes: Map<string, { event: OutcomeEvent; atMs: number }>;
  /** The newest rules of each product that Redis has. */
  rules: Map<number, number>;
  adjustments: (Position & { event: StockEvent; atMs: number })[];
  history: HistoryRow[];
}

/** What a run of journal entries comes to. */
export interface FoldedChanges extends RowChanges {
  stock: Map<number, StockChange>;
  marks: MarkChange[];
  deadLetters: DeadLetter[];
}

/** A transition by itself, and what becomes of it if no row takes it. */
export interface Apart {
  rows: RowChanges;
  letter: DeadLetter;
}

/** Where a lane's rows stand: the last committed entry. `sequence` is -1 before the first. */
export interface Watermark {
  epoch: number;
  sequence: number;
  call: string;
  emitted: number;
}
