import type { Finding } from '../../domain/finding.ts';

/** Which books are to be compared, and what is to be done about what is wrong. */
export interface ReconcileRequest {
  /** Only this product's books; null for all. */
  productId: number | null;
  /** Whether findings are repaired. */
  fixes: boolean;
  cause: 'command' | 'request' | 'schedule';
  /** Whether it must leave most of both servers' time to the sale. */
  isPaced: boolean;
  onProgress?: (progress: Progress) => void;
  /** Stops it at the next step. */
  signal?: AbortSignal;
}

/** How far a reconciliation is. `total` is an estimate. */
export interface Progress {
  step: string;
  done: number;
  total: number;
}

/** What a reconciliation found. */
export interface Reconciliation {
  id: string;
  cause: ReconcileRequest['cause'];
  productId: number | null;
  fixes: boolean;
  startedAt: Date;
  tookMs: number;
  /** Books that were compared. */
  products: number;
  reservations: number;
  /** Units by which two accounts differ, over all findings. */
  drift: number;
  /** How many findings there are; `findings` may list only the first of very many. */
  found: number;
  repaired: number;
  findings: Finding[];
}

/**
 * Compares all books, while sales go on. Throws `Unavailable` when a server cannot be asked, and
 * `ReconcileBusy` when another one is repairing.
 */
export type Reconcile = (request: ReconcileRequest) => Promise<Reconciliation>;

/** Another reconciliation is repairing: two must not put the same thing right. */
export class ReconcileBusy extends Error {
  override readonly name = 'ReconcileBusy';
}
