import type { ReconciliationRow } from '../db/reconciliations.ts';
import type { DeadLetters } from '../domain/dead-letters.ts';
import type { Engine } from '../engine/engine.ts';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { Inbox } from '../payments/inbox.ts';
import type { Refunds } from '../payments/refunds.ts';
import type { WebhookSigning } from '../payments/signatures.ts';
import type { Reconcile } from '../recovery/reconcile/reconciliation.ts';
import type { RequestLimit } from './rate-limit.ts';

/** What the HTTP surface stands on. */
export interface AppDeps {
  engine: Engine;
  payments: Pick<Inbox, 'receive'>;
  refunds: Refunds;
  /** How payment events must be signed. */
  signing: WebhookSigning;
  deadLetters: DeadLetters;
  ready: () => Promise<{ ok: boolean; checks: Record<string, string> }>;
  metrics: Metrics['read'];
  listening: Metrics['listening'];
  reconcile: Reconcile;
  /** The newest runs of the reconciliation. */
  reconciliations: () => Promise<ReconciliationRow[]>;
  /** Undefined hides everything under `/api/admin`. */
  adminToken: string | undefined;
  /** Undefined limits nobody. */
  limit?: RequestLimit | undefined;
  log: Logger;
  lanes: number;
}
