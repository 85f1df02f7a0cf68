import type { OutcomeEvent, ReservationEvent, StockEvent } from '../domain/journal.ts';
import type { Counters } from '../domain/product.ts';

/** What became of a hold. Times are milliseconds since 1970, by the Redis server's clock. */
export interface HoldChange {
  state: 'held' | 'ordered' | 'released' | 'expired';
  version: number;
  endedAtMs: number | null;
}

export interface OrderChange {
  state: 'pending' | 'paid' | 'cancelled' | 'expired' | 'refund_due' | 'refunded';
  version: number;
  counted: boolean;
  reference: string | null;
  settledAtMs: number | null;
}

/** A row that this batch makes, with what became of it within the batch. */
type Made<Change> = Change & { event: ReservationEvent; atMs: number };

export interface StockChange {
  /** What the row must say before. */
  before: Counters;
  after: Counters;
  epoch: number;
  sequence: number;
}

/** The last state of every row that a run of journal entries touches, by reservation or product. */
export interface FoldedChanges {
  lane: number;
  holdsMade: Map<string, Made<HoldChange>>;
  holdsChanged: Map<string, HoldChange>;
  ordersMade: Map<string, Made<OrderChange>>;
  ordersChanged: Map<string, OrderChange>;
  outcomes: Map<string, { event: OutcomeEvent; atMs: number }>;
  stock: Map<number, StockChange>;
  /** The newest rules of each product that Redis has. */
  rules: Map<number, number>;
  adjustments: { event: StockEvent; atMs: number; epoch: number; sequence: number }[];
}

/** Where a lane's rows stand: the last committed entry. `sequence` is -1 before the first. */
export interface Watermark {
  epoch: number;
  sequence: number;
  call: string;
  emitted: number;
}
