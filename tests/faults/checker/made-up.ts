import { type Body, History, type Request } from '../history.ts';
import { outcomeOfStatus } from '../shop.ts';
import { check, type Verdict } from './check.ts';
import type { Counters, FinalState, HoldRow, OrderRow, Rules } from './state.ts';

// A small sale that went well, made by hand: what the checker's tests spoil, one thing at a time.

export const PRODUCT = 7;
export const STOCK = 3;
const START_MS = Date.UTC(2026, 0, 1);

export const at = (ms: number): number => START_MS + ms;
export const iso = (ms: number): string => new Date(at(ms)).toISOString();

export const hold = (name: string): string => `hold_${name}`;
export const order = (name: string): string => `order_${name}`;

/** A sale in the making: each call adds what clients saw, and what the stores say in the end. */
export class MadeUpSale {
  readonly history = new History();
  readonly state: FinalState = {
    ...{ holds: new Map(), orders: new Map(), receipts: new Map(), adjustments: new Map() },
    lanes: [{ lane: 0, state: 'open', redis: '1-9 call', mysql: '1-9 call' }],
    ...{ deadLetters: [], drifts: [] },
    books: new Map([
      [
        PRODUCT,
        {
          redis: counters(STOCK),
          stock: counters(STOCK),
          index: { held: 0, pending: 0 },
          buyers: new Map(),
          maxPerBuyer: 2,
          initialStock: STOCK,
        },
      ],
    ]),
  };

  told(request: Request, fromMs: number, status: number, body: Body = {}): this {
    const outcome = outcomeOfStatus(status);
    const attempt = { invokedAtMs: at(fromMs), endedAtMs: at(fromMs + 10), url: '', status };
    this.history.begin('somebody', request).attempts.push({ ...attempt, outcome, body });
    return this;
  }

  /** A hold of one unit from `fromMs` on, for 1,000 ms, which ended as `state` says. */
  held(name: string, fromMs: number, state = 'expired', key = ''): this {
    const expiresAtMs = fromMs + 1_000;
    this.holdTold(name, fromMs, key);
    this.state.holds.set(hold(name), {
      ...{ state, buyer: name, counted: false, key, amountMinor: 950 },
      ...{ createdAtMs: at(fromMs), expiresAtMs: at(expiresAtMs) },
      endedAtMs: state === 'expired' ? at(expiresAtMs + 5) : at(fromMs + 100),
      items: [{ product_id: PRODUCT, qty: 1 }],
    });
    return this;
  }

  holdTold(name: string, fromMs: number, key = ''): this {
    const items = [{ product_id: PRODUCT, qty: 1 }];
    const request = { kind: 'hold', items, buyer: name, ...(key ? { key } : {}) } as const;
    const body = { hold_id: hold(name), items, expires_at: iso(fromMs + 1_000) };
    return this.told(request, fromMs, 201, body);
  }

  /** An order of that hold, which ended as `state` says. */
  ordered(name: string, fromMs: number, state = 'expired', reference: string | null = null): this {
    const payByMs = fromMs + 2_000;
    const body = { order_id: order(name), pay_by: iso(payByMs) };
    this.told({ kind: 'order', hold_id: hold(name) }, fromMs, 201, body);
    const settledAtMs = state === 'expired' ? at(payByMs + 5) : at(fromMs + 100);
    const times = { payByMs: at(payByMs), settledAtMs };
    this.state.orders.set(order(name), { holdId: hold(name), state, reference, ...times });
    return this;
  }

  /** A success that paid that order. */
  paid(name: string, fromMs: number, reference: string): this {
    this.payTold(name, fromMs, reference, { status: 'applied', order_status: 'paid' });
    const receipt = { orderId: order(name), status: 'success', outcome: 'applied' };
    this.state.receipts.set(reference, receipt);
    return this;
  }

  payTold(name: string, fromMs: number, reference: string, body: Body): this {
    const order_id = order(name);
    const request = { kind: 'pay', order_id, reference, status: 'success' } as const;
    return this.told(request, fromMs, 200, { order_id, ...body });
  }

  /** What Redis and the stock row say. */
  sold(units: number): this {
    const books = this.state.books.get(PRODUCT);
    for (const account of books ? [books.redis, books.stock] : []) {
      Object.assign(account, counters(STOCK), { available: STOCK - units, sold: units });
    }
    return this;
  }
}

const counters = (total: number): Counters => ({
  ...{ total, available: total, held: 0, pending: 0, sold: 0 },
});

/** Three holds: one paid, one given back, one left to expire. Nothing is wrong. */
export function goodSale(): MadeUpSale {
  const sale = new MadeUpSale();
  sale.held('a', 0, 'ordered', 'key-a').ordered('a', 50, 'paid', 'pay-a').paid('a', 200, 'pay-a');
  sale.held('b', 0, 'released');
  sale.told({ kind: 'release', hold_id: hold('b') }, 100, 200, { status: 'released' });
  sale.held('c', 0);
  sale.told({ kind: 'restock', product_id: PRODUCT, delta: 1, key: 'more' }, 300, 503);
  return sale.sold(1);
}

export const NOTHING_DECLARED: Rules = { redisLosesData: false };
export const REDIS_LOSES: Rules = { redisLosesData: true };

export const verdictOf = (sale: MadeUpSale, rules: Rules = NOTHING_DECLARED): Verdict =>
  check(sale.history, sale.state, rules);

/** What the checker counts, without the zeros. */
export function counts(sale: MadeUpSale, rules?: Rules): Record<string, number> {
  const all = Object.entries(verdictOf(sale, rules).findings.counts);
  return Object.fromEntries(all.filter(([, count]) => count > 0));
}

export const holdRow = (sale: MadeUpSale, name: string): HoldRow =>
  sale.state.holds.get(hold(name)) as HoldRow;

export const orderRow = (sale: MadeUpSale, name: string): OrderRow =>
  sale.state.orders.get(order(name)) as OrderRow;

export function setBooks(
  sale: MadeUpSale,
  account: 'redis' | 'stock',
  changes: Partial<Counters>,
): void {
  Object.assign(sale.state.books.get(PRODUCT)?.[account] ?? {}, changes);
}
