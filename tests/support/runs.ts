import { randomUUID } from 'node:crypto';
import { insertReconciliation } from '../../src/db/reconciliations.ts';
import type { Finding } from '../../src/domain/finding.ts';
import type {
  Reconcile,
  ReconcileRequest,
  Reconciliation,
} from '../../src/recovery/reconcile/reconciliation.ts';
import type { TestEngine } from './engine.ts';

/** A finding as it may be, of a product whose counters in Redis are 2 units off. */
export const finding = (changes: Partial<Finding> = {}): Finding => ({
  kind: 'redis_disagrees',
  lane: 0,
  productId: 7,
  id: '',
  expected: { available: 10 },
  found: { available: 12 },
  units: 2,
  repair: 'sets the counters right',
  outcome: 'left',
  ...changes,
});

/**
 * A reconciliation that compares nothing: it writes its run to MySQL as the real one does, with the
 * findings that it is told to have. `during` is what happens in the middle of it.
 */
export function madeUpRuns(
  { database }: Pick<TestEngine, 'database'>,
  during: (request: ReconcileRequest) => Promise<void> = async () => {},
): { reconcile: Reconcile; requests: ReconcileRequest[]; findings: Finding[] } {
  const requests: ReconcileRequest[] = [];
  const findings: Finding[] = [];
  const reconcile: Reconcile = async (request) => {
    requests.push(request);
    const { productId, cause, fixes } = request;
    const startedAt = new Date();
    await during(request);
    const found = findings.length;
    const drift = findings.reduce((sum, { units }) => sum + units, 0);
    const what = { id: randomUUID(), cause, productId, fixes, startedAt, drift, found };
    const run: Reconciliation = {
      ...{ ...what, repaired: 0, findings: [...findings] },
      ...{ tookMs: Date.now() - startedAt.getTime(), products: 1, reservations: 0 },
    };
    const { tookMs: _t, products: _p, reservations: _r, ...row } = run;
    await insertReconciliation(database, { ...row, finishedAt: new Date() });
    return run;
  };
  return { reconcile, requests, findings };
}
