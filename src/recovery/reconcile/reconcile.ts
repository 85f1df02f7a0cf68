import { setTimeout as pause } from 'node:timers/promises';
import type { PoolConnection } from 'mysql2/promise';
import { query } from '../../db/client.ts';
import { insertReconciliation, pruneReconciliations } from '../../db/reconciliations.ts';
import { underLock } from '../../db/watermarks.ts';
import { Deadline } from '../../domain/deadline.ts';
import { newReservationId } from '../../domain/ids.ts';
import type { Logger } from '../../log.ts';
import { type Examined, examine, examineAll } from '../examine.ts';
import { Books, type ReconcileParts } from './books.ts';
import { reconcileBuyers } from './buyers.ts';
import { reconcileCounters } from './counters.ts';
import { reconcileLive } from './live.ts';
import { reconcileProducts } from './products.ts';
import {
  type Reconcile,
  ReconcileBusy,
  type ReconcileRequest,
  type Reconciliation,
} from './reconciliation.ts';
import { reconcileStock } from './stock.ts';
import { reconcileLaneWork, reconcileWork } from './work.ts';

const LOCK_WAIT_MS = 1_000;
const AGREES_LIMIT_MS = 5_000;
const LOOK_EVERY_MS = 50;
const WRITE_LIMIT_MS = 5_000;

// Rows first, then what is added up from them: what is repaired there needs no repair here.
async function reconcileLane(books: Books, lane: number): Promise<void> {
  await reconcileProducts(books, lane);
  await reconcileLive(books, lane);
  const productIds = await reconcileStock(books, lane);
  await reconcileCounters(books, lane, productIds);
  await reconcileBuyers(books, lane, productIds);
  await reconcileLaneWork(books, lane);
}

async function noteLane(books: Books, { lane, verdict, reason }: Examined): Promise<void> {
  if (verdict === 'fine') return;
  const isDrift = verdict === 'drift';
  const repair = isDrift
    ? 'have it open by itself, once its books agree'
    : 'see "holdfast doctor", which says what to do';
  await books.note({
    kind: 'lane',
    lane,
    productId: null,
    id: '',
    expected: 'open',
    found: reason,
    units: 0,
    repair,
    ...(isDrift ? { fix: () => agrees(books, lane) } : {}),
  });
}

// The writer says so with the next entry that shows it, and then whoever looks after the lane opens it.
async function agrees(books: Books, lane: number): Promise<boolean> {
  const { link, database, ring } = books.parts;
  const deadline = new Deadline(AGREES_LIMIT_MS);
  while (!deadline.passed()) {
    const { verdict } = await examine(link, database, lane);
    if (verdict !== 'drift') return true;
    ring(lane);
    await pause(LOOK_EVERY_MS);
  }
  return false;
}

async function reconcileLanes(books: Books): Promise<void> {
  const { link, database, lanes } = books.parts;
  for (const examined of await examineAll(link, database, lanes)) {
    const { lane, verdict, found } = examined;
    const isReadable = found?.state === 'open' || found?.state === 'closed';
    const isMeant = /^(fine|drift|dead_letters|reopen)$/.test(verdict);
    if (isReadable && isMeant) await reconcileLane(books, lane);
    await noteLane(books, examined);
  }
}

async function run(
  parts: ReconcileParts,
  request: ReconcileRequest,
  connection: PoolConnection | undefined,
): Promise<Reconciliation> {
  const startedAt = new Date();
  const began = performance.now();
  const books = new Books(`rec_${newReservationId(0)}`, parts, request, connection);
  await reconcileWork(books);
  await reconcileLanes(books);
  const { id, findings, products, reservations } = books;
  const { cause, productId, fixes } = request;
  const drift = findings.reduce((sum, { units }) => sum + units, 0);
  const repaired = findings.filter(({ outcome }) => outcome === 'repaired').length;
  const counts = { drift, found: findings.length, repaired, findings };
  const row = { id, cause, productId, fixes, startedAt, finishedAt: new Date(), ...counts };
  const writing = insertReconciliation(parts.database, row);
  await query(new Deadline(WRITE_LIMIT_MS), 'reconciliation', writing);
  const pruning = pruneReconciliations(parts.database);
  await query(new Deadline(WRITE_LIMIT_MS), 'old reconciliations', pruning);
  const tookMs = Math.round(performance.now() - began);
  return { id, cause, productId, fixes, startedAt, tookMs, products, reservations, ...counts };
}

/** See `Reconcile`. Runs that only look may overlap; of those that repair there is one at a time. */
export function createReconcile(parts: ReconcileParts, log: Logger): Reconcile {
  return async (request) => {
    if (!request.fixes) return run(parts, request, undefined);
    let result: Reconciliation | undefined;
    const isDone = await underLock(parts.database, 'books', LOCK_WAIT_MS, async (connection) => {
      result = await run(parts, request, connection);
    });
    if (!isDone || !result) {
      throw new ReconcileBusy('another reconciliation is repairing: try again when it is done');
    }
    for (const { repair, ...finding } of result.findings) {
      log.warn({ reconciliation: result.id, ...finding }, `repair: ${repair}`);
    }
    return result;
  };
}
