import type { Ledger } from './ledger.ts';
import type { Shop } from './shop.ts';

/** What is sold to whom. */
export interface Plan {
  url: string;
  productId: number;
  holdTtlMs: number;
  payTtlMs: number;
  buyers: number;
  stock: number;
  /** How long refused buyers come back. */
  seconds: number;
  seed: number;
  /** Names this run in keys and references, which must be new in each. */
  run: string;
  /** Signs payment events; undefined where the shop takes them unsigned. */
  webhookSecret: string | undefined;
}

/** Units as the shop shows them to everybody. */
export interface Shelf {
  available: number;
  held: number;
  pending: number;
  sold: number;
}

/** A sale that is going on. */
export interface Sale {
  plan: Plan;
  shop: Shop;
  ledger: Ledger;
  shelf: Shelf;
  /** False once the last unit is sold, or the time is over: then refused buyers go home. */
  isOpen: () => boolean;
}
