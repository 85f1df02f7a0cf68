/** Units of one product: `total = available + held + pending + sold`. */
export interface Counters {
  total: number;
  available: number;
  held: number;
  pending: number;
  sold: number;
}

/** Bounds of rules, in seconds; by the two first ones, how long a hold can last. */
export const HOLD_TTL_SECONDS_MAX = 86_400;
export const EXTEND_SECONDS_MAX = 86_400;
export const PAY_TTL_SECONDS_MAX = 604_800;

export const COUNTER_NAMES = ['total', 'available', 'held', 'pending', 'sold'] as const;

/** The rules of a sale. They live in MySQL first; Redis has the newest `rulesVersion`. */
export interface ProductRules {
  name: string;
  priceMinor: number;
  currency: string;
  status: 'active' | 'paused';
  startsAtMs: number | null;
  endsAtMs: number | null;
  holdTtlMs: number;
  payTtlMs: number;
  /** By how much a buyer may extend a hold, once; 0 for not at all. */
  extendMs: number;
  maxPerHold: number | null;
  maxPerBuyer: number | null;
}

/** A product as buyers see it. */
export interface Product extends ProductRules, Counters {
  id: number;
  lane: number;
}

/** What a buyer can do with a product now. */
export type SaleStatus = 'scheduled' | 'active' | 'paused' | 'ended';

/** Where a sale stands at a moment. A pause outweighs the window. */
export function saleStatus(rules: ProductRules, nowMs: number): SaleStatus {
  if (rules.status === 'paused') return 'paused';
  if (rules.startsAtMs !== null && nowMs < rules.startsAtMs) return 'scheduled';
  if (rules.endsAtMs !== null && nowMs >= rules.endsAtMs) return 'ended';
  return 'active';
}
