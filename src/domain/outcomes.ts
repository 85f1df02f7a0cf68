import type { Product } from './product.ts';
import type { Item, OrderState, ReservationState } from './reservation.ts';

// What the engine answers. A refusal is a value; only unreachable servers throw (`Unavailable`).

export interface HoldRequest {
  /** Canonical: sorted by product, each product once. */
  items: Item[];
  buyer: string;
  /** `Idempotency-Key`, or ''. */
  key: string;
}

/** A hold as its buyer sees it. */
export interface Hold {
  id: string;
  state: 'held' | 'ordered' | 'released' | 'expired';
  items: Item[];
  amountMinor: number;
  currency: string;
  expiresAtMs: number;
}

/** An order as MySQL has it. */
export interface Order {
  id: string;
  state: OrderState;
  items: Item[];
  amountMinor: number;
  currency: string;
  createdAtMs: number;
  payByMs: number;
  /** Of the payment event that settled it. */
  reference: string | null;
  settledAtMs: number | null;
  refundedAtMs: number | null;
}

export type HoldOutcome =
  | { status: 'held'; hold: Hold }
  | { status: 'idempotency_mismatch' }
  | { status: 'overloaded' }
  | { status: 'product_not_found'; productId: number }
  | { status: 'items_in_different_lanes' }
  | { status: 'mixed_currencies' }
  | { status: 'sale_paused'; productId: number }
  | { status: 'sale_not_started'; productId: number; startsAtMs: number }
  | { status: 'sale_ended'; productId: number; endsAtMs: number }
  | { status: 'qty_above_limit'; productId: number; maxPerHold: number }
  | { status: 'buyer_required'; productId: number }
  | { status: 'buyer_limit'; productId: number; maxPerBuyer: number; units: number }
  | { status: 'sold_out'; productId: number; available: number; retryAfterMs: number };

export type ReleaseOutcome =
  | { status: 'released'; hold: Hold }
  | { status: 'hold_not_found' }
  | { status: 'hold_expired' }
  | { status: 'hold_used'; orderId: string };

export type ExtendOutcome =
  | { status: 'extended'; hold: Hold }
  | { status: 'extension_not_allowed' }
  | { status: 'hold_not_found' }
  | { status: 'hold_expired' }
  | { status: 'hold_released' }
  | { status: 'hold_used'; orderId: string };

export type OrderOutcome =
  | { status: 'ordered'; order: Order }
  | { status: 'idempotency_mismatch' }
  | { status: 'hold_not_found' }
  | { status: 'hold_expired' }
  | { status: 'hold_released' }
  | { status: 'hold_used'; orderId: string };

export type CancelOutcome =
  | { status: 'cancelled'; order: Order }
  | { status: 'order_not_found' }
  | { status: 'order_expired' }
  | { status: 'order_paid' };

export type PaymentStatus = 'success' | 'failed' | 'refunded';

export interface Money {
  amountMinor: number;
  currency: string;
}

/** What a payment provider says. */
export interface PaymentEvent {
  /** As the provider names the order, known here or not. */
  orderId: string;
  /** Of this event; it takes effect at most once. */
  reference: string;
  status: PaymentStatus;
  /** What was paid or refunded, where the event says so. */
  money?: Money | undefined;
  /** The provider's id of the payment, where it has one; several events may tell of it. */
  payment?: string | undefined;
  /** Of a refund: whether its units are to be sold again. */
  returnsUnits?: boolean | undefined;
}

/**
 * What became of a payment event. `refund_due`: there is nothing to sell for this money.
 * `amount_mismatch`: it is not the order's amount, and the order is as it was.
 */
export type ReceiptOutcome = 'applied' | 'ignored' | 'refund_due' | 'amount_mismatch';

export type PaymentOutcome =
  /** `orderState` is null where the order had no say. */
  | { status: ReceiptOutcome; orderState: ReservationState | null }
  | { status: 'duplicate'; outcome: ReceiptOutcome; orderState: ReservationState | null }
  | { status: 'reference_conflict' }
  /** Open: it is applied if the order appears. */
  | { status: 'order_not_found' }
  /** A refund, open: it is applied if the payment that it gives back appears. */
  | { status: 'order_not_paid' };

export type StockOutcome<P> =
  | { status: 'adjusted'; product: P }
  | { status: 'product_not_found' }
  | { status: 'insufficient_available'; available: number }
  | { status: 'adjustment_mismatch' };

/** A product to be made. Times are milliseconds; null means no limit, or no bound of the sale. */
export interface NewProduct {
  name: string;
  priceMinor: number;
  currency: string;
  totalStock: number;
  startsAtMs: number | null;
  endsAtMs: number | null;
  /** null for the configured default. */
  holdTtlMs: number | null;
  payTtlMs: number | null;
  /** By how much a buyer may extend a hold, once; 0 for not at all. */
  extendMs: number;
  maxPerHold: number | null;
  maxPerBuyer: number | null;
  /** null lets the product's id choose. */
  lane: number | null;
}

/** The rules of a sale that ops may change while it runs. */
export type RulesPatch = Partial<
  Pick<
    NewProduct,
    'name' | 'priceMinor' | 'startsAtMs' | 'endsAtMs' | 'extendMs' | 'maxPerHold' | 'maxPerBuyer'
  > & { holdTtlMs: number; payTtlMs: number; status: 'active' | 'paused' }
>;

/** How a lane does, for ops. */
export interface LaneOverview {
  lane: number;
  state: string;
  epoch: number;
  /** The newest entry of the journal, and the newest that MySQL has; '' for none. */
  position: string;
  watermark: string;
  outboxLength: number;
  /** Transitions that MySQL does not have yet. */
  backlog: number;
  lagMs: number;
  liveReservations: number;
}

export interface Overview {
  products: Product[];
  lanes: LaneOverview[];
  refundsDue: number;
  openReceipts: number;
  /** Open ones, in all lanes. */
  deadLetters: number;
  drifts: number;
  /** The newest finished reconciliation of all books. */
  reconciliation: {
    id: string;
    finishedAtMs: number;
    drift: number;
    found: number;
    repaired: number;
  } | null;
}
