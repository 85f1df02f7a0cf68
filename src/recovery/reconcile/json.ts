import type { ReconciliationRow } from '../../db/reconciliations.ts';
import type { Finding } from '../../domain/finding.ts';
import type { Reconciliation } from './reconciliation.ts';

// How the API and the CLI tell of runs.

const findingJson = (finding: Finding) => ({
  kind: finding.kind,
  lane: finding.lane,
  product_id: finding.productId,
  id: finding.id,
  expected: finding.expected,
  found: finding.found,
  units: finding.units,
  repair: finding.repair,
  outcome: finding.outcome,
});

/** A run that was just made. */
export const reconciliationJson = (run: Reconciliation) => ({
  id: run.id,
  cause: run.cause,
  product_id: run.productId,
  fix: run.fixes,
  started_at: run.startedAt.toISOString(),
  finished_at: new Date(run.startedAt.getTime() + run.tookMs).toISOString(),
  products: run.products,
  reservations: run.reservations,
  drift: run.drift,
  found: run.found,
  repaired: run.repaired,
  findings: run.findings.map(findingJson),
});

/** A run as it is remembered, with at most `findingsMax` of its findings. */
export const pastReconciliationJson = (run: ReconciliationRow, findingsMax: number) => ({
  id: run.id,
  cause: run.cause,
  product_id: run.productId,
  fix: run.fixes,
  started_at: run.startedAt.toISOString(),
  finished_at: run.finishedAt?.toISOString() ?? null,
  drift: run.drift ?? 0,
  found: run.found ?? 0,
  repaired: run.repaired ?? 0,
  findings: (run.findings ?? []).slice(0, findingsMax).map(findingJson),
});
