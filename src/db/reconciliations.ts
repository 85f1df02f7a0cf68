import { desc, isNotNull } from 'drizzle-orm';
import type { Finding } from '../domain/finding.ts';
import type { Database } from './client.ts';
import { reconciliations } from './schema-books.ts';

/** Findings kept of one run. All are counted. */
export const FINDINGS_KEPT_MAX = 1_000;

/** A run of the reconciliation, as it is remembered. */
export interface ReconciliationRow {
  id: string;
  cause: 'command' | 'request' | 'schedule';
  productId: number | null;
  fixes: boolean;
  startedAt: Date;
  finishedAt: Date | null;
  drift: number | null;
  found: number | null;
  repaired: number | null;
  findings: Finding[] | null;
}

export async function insertReconciliation(
  { orm }: Database,
  row: ReconciliationRow,
): Promise<void> {
  const findings = row.findings?.slice(0, FINDINGS_KEPT_MAX) ?? null;
  await orm.insert(reconciliations).values({ ...row, findings });
}

/** The newest runs first. */
export function listReconciliations(
  { orm }: Database,
  limit: number,
): Promise<ReconciliationRow[]> {
  return orm
    .select()
    .from(reconciliations)
    .where(isNotNull(reconciliations.finishedAt))
    .orderBy(desc(reconciliations.startedAt), desc(reconciliations.id))
    .limit(limit);
}
