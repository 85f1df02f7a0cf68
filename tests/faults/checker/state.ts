import type { Item } from '../history.ts';

// What both stores say once everything is over. The names are those of DESIGN: total = available +
// held + pending + sold.

export interface Counters {
  total: number;
  available: number;
  held: number;
  pending: number;
  sold: number;
}

export const COUNTERS = ['total', 'available', 'held', 'pending', 'sold'] as const;

export interface HoldRow {
  state: string;
  buyer: string;
  counted: boolean;
  key: string;
  amountMinor: number;
  createdAtMs: number;
  expiresAtMs: number;
  endedAtMs: number | null;
  items: Item[];
}

export interface OrderRow {
  holdId: string;
  state: string;
  reference: string | null;
  payByMs: number;
  settledAtMs: number | null;
}

export interface ReceiptRow {
  orderId: string;
  status: string;
  outcome: string | null;
}

/** The same stock as each account tells it. */
export interface Books {
  redis: Counters;
  stock: Counters;
  /** Units of the members of Redis' deadline index. */
  index: { held: number; pending: number };
  /** Units counted for each buyer in Redis. */
  buyers: Map<string, number>;
  maxPerBuyer: number | null;
  initialStock: number;
}

/** A change of a product's total; `isPlaced` once the journal has it. */
export interface Adjustment {
  delta: number;
  isPlaced: boolean;
}

/** Where a lane's journal ends, by Redis and by MySQL. */
export interface LanePosition {
  lane: number;
  state: string;
  redis: string;
  mysql: string;
}

/** Something that is written down to be put right, and was not yet. */
export interface OpenMatter {
  /** Of the journal: `<epoch>-<sequence>`. */
  position: string;
  what: string;
}

export interface FinalState {
  holds: Map<string, HoldRow>;
  orders: Map<string, OrderRow>;
  receipts: Map<string, ReceiptRow>;
  books: Map<number, Books>;
  /** By `<product>:<key>`. */
  adjustments: Map<string, Adjustment>;
  lanes: LanePosition[];
  /** Journalled transitions that are in no row. */
  deadLetters: OpenMatter[];
  drifts: OpenMatter[];
}

/** What a row of the table promises, beyond what every row does. */
export interface Rules {
  /**
   * Redis lost what it had told: holds that MySQL did not have yet may be gone, a released one may be
   * held again until its deadline, and keys of ended holds are forgotten. Counted, never oversold.
   */
  redisLosesData: boolean;
  /** Units of what ran out are back within this time. */
  backWithinMs?: number;
  /** No hold appears after its caller gave up. */
  noLateHolds?: boolean;
  /** The server's clock is not the clients': deadlines can be compared within the rows only. */
  clockJumps?: boolean;
}

/** The order of a hold: they share what follows the prefix. */
export const orderOf = (holdId: string): string => holdId.replace('hold_', 'order_');
export const holdOf = (orderId: string): string => orderId.replace('order_', 'hold_');

/** Units of each product that the rows of holds and orders imply. */
export function unitsOfRows(state: FinalState): Map<number, Counters> {
  const units = new Map<number, Counters>();
  for (const [id, { initialStock }] of state.books) {
    const zero = { total: initialStock, available: 0, held: 0, pending: 0, sold: 0 };
    units.set(id, zero);
  }
  for (const [name, { delta, isPlaced }] of state.adjustments) {
    const counters = units.get(Number(name.split(':')[0]));
    if (counters && isPlaced) counters.total += delta;
  }
  for (const [id, hold] of state.holds) {
    const counter = counterOf(hold.state, state.orders.get(orderOf(id))?.state);
    for (const { product_id, qty } of counter ? hold.items : []) {
      const counters = units.get(product_id);
      if (counters && counter) counters[counter] += qty;
    }
  }
  for (const counters of units.values()) {
    counters.available = counters.total - counters.held - counters.pending - counters.sold;
  }
  return units;
}

/** Where the units of a hold are; undefined when they are back. */
export function counterOf(
  hold: string,
  order: string | undefined,
): 'held' | 'pending' | 'sold' | undefined {
  if (hold === 'held') return 'held';
  if (order === 'pending') return 'pending';
  // A refund does not bring the units back by itself.
  return order === 'paid' || order === 'refunded' ? 'sold' : undefined;
}
