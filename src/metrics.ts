import { Counter, Gauge, Registry } from 'prom-client';
import { type Database, query } from './db/client.ts';
import { readFindings, readNewestRun } from './db/reconciliations.ts';
import { countReceipts } from './db/reports.ts';
import { readWatermarks } from './db/watermarks.ts';
import { Deadline } from './domain/deadline.ts';
import type { FindingKind } from './domain/finding.ts';
import { type Reconcile, ReconcileBusy } from './recovery/reconcile/reconciliation.ts';

/** How long a scrape waits for MySQL. */
const LOOK_LIMIT_MS = 500;
/** How long one look may go on behind it; there is one at a time. */
const ANSWER_LIMIT_MS = 10_000;
const RESULTS = ['clean', 'findings', 'failed'] as const;

/** What a process tells Prometheus. */
export interface Metrics {
  /** An audit found Redis' counters to differ from its journal. */
  drift: (lane: number) => void;
  /** A transition became a dead letter. */
  deadLetter: (lane: number) => void;
  /** A listener to live stock has come, or left. */
  listening: (change: 1 | -1) => void;
  /** The same reconciliation, each run counted. */
  counted: (reconcile: Reconcile) => Reconcile;
  /**
   * Everything, as text. Answers without MySQL, too: then what only MySQL knows now is left out.
   *
   * Source: Prometheus text-based exposition format 0.0.4.
   */
  read: () => Promise<{ contentType: string; text: string }>;
}

/** What MySQL knows, for all processes together. */
interface Books {
  lanes: { lane: number; drifts: number; deadLetters: number }[];
  run: LastRun | undefined;
  receipts: { refundsDue: number; open: number };
}

/** The newest finished run over all books, whichever process made it. */
interface LastRun {
  id: string;
  startedAt: Date;
  finishedAt: Date;
  drift: number;
  kinds: Map<FindingKind, number>;
}

async function readLastRun(
  database: Database,
  known: LastRun | undefined,
): Promise<LastRun | undefined> {
  const run = await readNewestRun(database);
  if (!run?.finishedAt) return undefined;
  const { id, startedAt, finishedAt, drift } = run;
  if (id === known?.id) return known;
  const kinds = new Map<FindingKind, number>();
  for (const { kind } of await readFindings(database, id)) {
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  return { id, startedAt, finishedAt, drift: drift ?? 0, kinds };
}

/** Looks at the books; never twice at once, since anybody may ask for the metrics. */
function booksOf(database: Database): () => Promise<Books | undefined> {
  let run: LastRun | undefined;
  let looking: Promise<Books> | undefined;
  const look = async (): Promise<Books> => {
    const deadline = new Deadline(ANSWER_LIMIT_MS);
    const [marks, newest, receipts] = await Promise.all([
      query(deadline, 'watermarks', readWatermarks(database)),
      query(deadline, 'last reconciliation', readLastRun(database, run)),
      query(deadline, 'receipts', countReceipts(database)),
    ]);
    run = newest;
    const lanes = [...marks].map(([lane, { drifts, deadLetters }]) => ({
      lane,
      drifts,
      deadLetters,
    }));
    return { lanes, run, receipts };
  };
  return () => {
    looking ??= look().finally(() => {
      looking = undefined;
    });
    const limit = new Deadline(LOOK_LIMIT_MS);
    return query(limit, 'metrics', looking).catch(() => undefined);
  };
}

/** Gauges of what MySQL knows, and how to set them. */
function bookGauges(register: Registry): (books: Books | undefined) => void {
  const gauge = <L extends string>(name: string, help: string, labelNames: L[]) =>
    new Gauge({ name: `holdfast_${name}`, help, labelNames, registers: [register] });
  const drifts = gauge('drifts_open', 'Products whose counters in Redis are known to be wrong', [
    'lane',
  ]);
  const letters = gauge('dead_letters_open', 'Transitions that wait as dead letters', ['lane']);
  const findings = gauge('findings', 'Findings of the last reconciliation of all books', ['kind']);
  const units = gauge(
    'reconciliation_drift_units',
    'Units by which two accounts differed in the last reconciliation of all books',
    [],
  );
  const success = gauge(
    'reconciliation_last_success_timestamp_seconds',
    'When the last reconciliation of all books was finished, whatever it found',
    [],
  );
  const refundsDue = gauge('refunds_due', 'Payments whose money must go back', []);
  const openReceipts = gauge('receipts_open', 'Payment events that wait for their order', []);
  const duration = gauge(
    'reconciliation_duration_seconds',
    'How long the last reconciliation of all books took',
    [],
  );
  return (books) => {
    const ofRun = [units, success, duration];
    const unlabelled = [...ofRun, refundsDue, openReceipts];
    for (const each of [drifts, letters, findings, ...unlabelled]) each.reset();
    // Without labels `reset` sets 0, which would be a claim.
    for (const each of unlabelled) each.remove();
    for (const { lane, ...open } of books?.lanes ?? []) {
      drifts.set({ lane }, open.drifts);
      letters.set({ lane }, open.deadLetters);
    }
    if (books) {
      refundsDue.set(books.receipts.refundsDue);
      openReceipts.set(books.receipts.open);
    }
    const run = books?.run;
    if (!run) return;
    for (const [kind, count] of run.kinds) findings.set({ kind }, count);
    units.set(run.drift);
    success.set(run.finishedAt.getTime() / 1_000);
    duration.set((run.finishedAt.getTime() - run.startedAt.getTime()) / 1_000);
  };
}

const countRuns =
  (runs: Counter<'result'>) =>
  (reconcile: Reconcile): Reconcile =>
  async (request) => {
    try {
      const run = await reconcile(request);
      runs.inc({ result: run.found === 0 ? 'clean' : 'findings' });
      return run;
    } catch (error) {
      const hasFailed = !(error instanceof ReconcileBusy) && !request.signal?.aborted;
      if (hasFailed) runs.inc({ result: 'failed' });
      throw error;
    }
  };

/** Metrics in a registry of their own: two engines in one process do not count for each other. */
export function createMetrics({ database, lanes }: { database: Database; lanes: number }): Metrics {
  const register = new Registry();
  const counter = <L extends string>(name: string, help: string, label: L) =>
    new Counter({ name: `holdfast_${name}`, help, labelNames: [label], registers: [register] });
  const drifts = counter('drifts_total', 'Drifts that this process found in the journal', 'lane');
  const letters = counter('dead_letters_total', 'Dead letters that this process put by', 'lane');
  const listeners = new Gauge({
    name: 'holdfast_stream_listeners',
    help: 'Listeners to live stock of this process',
    registers: [register],
  });
  const runs = counter('reconciliations_total', 'Reconciliations of this process', 'result');
  // Counters start at 0, so that the first increment is seen as one.
  for (let lane = 0; lane < lanes; lane += 1) {
    drifts.inc({ lane }, 0);
    letters.inc({ lane }, 0);
  }
  for (const result of RESULTS) runs.inc({ result }, 0);
  const setGauges = bookGauges(register);
  const look = booksOf(database);
  return {
    drift: (lane) => drifts.inc({ lane }),
    deadLetter: (lane) => letters.inc({ lane }),
    listening: (change) => listeners.inc(change),
    counted: countRuns(runs),
    read: async () => {
      setGauges(await look());
      return { contentType: register.contentType, text: await register.metrics() };
    },
  };
}
