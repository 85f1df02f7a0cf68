// What Holdfast promises, as a small account book. It knows nothing of scripts, stores or caches:
// an overdue reservation is over at its deadline, and everything else happens one after the other.

export interface Line {
  productId: number;
  qty: number;
}

/** A product and the units it has in each place. */
export interface Article {
  id: number;
  lane: number;
  priceMinor: number;
  currency: string;
  holdTtlMs: number;
  payTtlMs: number;
  extendMs: number;
  total: number;
  available: number;
  held: number;
  pending: number;
  sold: number;
  status: 'active' | 'paused';
  startsAtMs: number | null;
  endsAtMs: number | null;
  maxPerHold: number | null;
  maxPerBuyer: number | null;
  unitsByBuyer: Map<string, number>;
}

type Place = 'available' | 'held' | 'pending' | 'sold';
export type State =
  | 'held'
  | 'released'
  | 'expired'
  | 'pending'
  | 'paid'
  | 'cancelled'
  | 'refund_due';

export interface Reservation {
  id: string;
  lane: number;
  lines: Line[];
  buyer: string;
  key: string;
  amountMinor: number;
  currency: string;
  state: State;
  ordered: boolean;
  /** Steps so far. */
  version: number;
  heldUntilMs: number;
  /** As its first answer told it. */
  firstUntilMs: number;
  extended: boolean;
  payByMs: number;
  reference: string | null;
  /** It ended by its deadline, and nobody need have noticed yet. */
  overdue: boolean;
  /** Its last step may have come in time, or late with one step more: its answer fits both. */
  maybeLate: boolean;
}

export interface Receipt {
  id: string;
  payment: 'success' | 'failed';
  outcome: 'applied' | 'ignored' | 'refund_due' | null;
  orderState: State | null;
}

const PLACE: Record<State, Place> = {
  held: 'held',
  pending: 'pending',
  paid: 'sold',
  released: 'available',
  expired: 'available',
  cancelled: 'available',
  refund_due: 'available',
};

export class Ledger {
  readonly articles = new Map<number, Article>();
  readonly reservations = new Map<string, Reservation>();
  readonly holdsByKey = new Map<string, { content: string; id: string }>();
  readonly ordersByKey = new Map<string, string>();
  readonly receipts = new Map<string, Receipt>();
  /** Deltas by product and key. */
  readonly adjustments = new Map<string, number>();

  copy(): Ledger {
    return Object.assign(new Ledger(), structuredClone({ ...this }));
  }

  article(id: number): Article {
    const article = this.articles.get(id);
    if (!article) throw new Error(`the ledger has no product ${id}`);
    return article;
  }

  /** Whether so many units of each are there. */
  hasUnits(lines: readonly Line[]): boolean {
    return lines.every(({ productId, qty }) => this.article(productId).available >= qty);
  }

  /** Takes a reservation to its next state; its units move along. */
  step(reservation: Reservation, to: State): void {
    const from = reservation.version === 0 ? 'available' : PLACE[reservation.state];
    for (const { productId, qty } of reservation.lines) {
      const article = this.article(productId);
      article[from] -= qty;
      article[PLACE[to]] += qty;
      const taken = Number(PLACE[to] !== 'available') - Number(from !== 'available');
      const { buyer } = reservation;
      const units = (article.unitsByBuyer.get(buyer) ?? 0) + taken * qty;
      article.unitsByBuyer.set(buyer, units);
    }
    reservation.state = to;
    reservation.version += 1;
    reservation.ordered ||= to === 'pending';
    reservation.overdue = false;
  }

  deadlineOf({ state, heldUntilMs, payByMs }: Reservation): number {
    if (state === 'held') return heldUntilMs;
    return state === 'pending' ? payByMs : Number.POSITIVE_INFINITY;
  }

  /** Deadlines of live reservations up to a moment, each once, the earliest first. */
  deadlinesUntil(atMs: number): number[] {
    const all = [...this.reservations.values()].map((reservation) => this.deadlineOf(reservation));
    return [...new Set(all)].filter((deadline) => deadline <= atMs).sort((a, b) => a - b);
  }

  /** Ends what is overdue at this moment. */
  runOut(atMs: number): void {
    for (const reservation of this.reservations.values()) {
      if (this.deadlineOf(reservation) > atMs) continue;
      this.step(reservation, 'expired');
      reservation.overdue = true;
    }
  }

  /** Units of a product that may still stand in `held` or `pending`, though they are over. */
  overdueUnits(productId: number): { held: number; pending: number } {
    const units = { held: 0, pending: 0 };
    for (const { overdue, ordered, lines } of this.reservations.values()) {
      if (!overdue) continue;
      const qty = lines.find((line) => line.productId === productId)?.qty ?? 0;
      units[ordered ? 'pending' : 'held'] += qty;
    }
    return units;
  }
}
