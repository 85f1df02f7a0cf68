import { and, desc, eq, getTableColumns, isNotNull, isNull } from 'drizzle-orm';
import type { Finding } from '../domain/finding.ts';
import type { Database } from './client.ts';
import { reconciliations } from './schema-books.ts';

/** Findings kept of one run. All are counted. */
const FINDINGS_KEPT_MAX = 1_000;

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

/** The newest finished run over all books, without its findings. */
export async function readNewestRun({
  orm,
}: Database): Promise<Omit<ReconciliationRow, 'findings'> | undefined> {
  const { findings: _, ...columns } = getTableColumns(reconciliations);
  const [row] = await orm
    .select(columns)
    .from(reconciliations)
    .where(and(isNotNull(reconciliations.finishedAt), isNull(reconciliations.productId)))
    .orderBy(desc(reconciliations.startedAt), desc(reconciliations.id))
    .limit(1);
  return row;
}

/** What a run has found, as much of it as was kept. */
export async function readFindings({ orm }: Database, id: string): Promise<Finding[]> {
  const [row] = await orm
    .select({ findings: reconciliations.findings })
    .from(reconciliations)
    .where(eq(reconciliations.id, id));
  return row?.findings ?? [];
}

const MARKS_KEPT_DAYS = 1;
const CLEAN_RUNS_KEPT_DAYS = 30;
const AT_ONCE = 1_000;

/** Forgets old marks, and old scheduled runs that found nothing. */
export async function pruneReconciliations({ pool }: Database): Promise<void> {
  const before = (days: number) => new Date(Date.now() - days * 86_400_000);
  await pool.query('DELETE FROM marks WHERE at < ? LIMIT ?', [before(MARKS_KEPT_DAYS), AT_ONCE]);
  await pool.query(
    "DELETE FROM reconciliations WHERE started_at < ? AND cause = 'schedule' AND found = 0 LIMIT ?",
    [before(CLEAN_RUNS_KEPT_DAYS), AT_ONCE],
  );
}
