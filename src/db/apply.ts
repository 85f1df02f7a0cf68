import type { PoolConnection, RowDataPacket } from 'mysql2/promise';
import { applyRows } from './apply-rows.ts';
import { applyStock } from './apply-stock.ts';
import type { Apart, DeadLetter, FoldedChanges, Watermark } from './changes.ts';
import { type Database, driverError, transaction } from './client.ts';
import { DEAD_LETTERS_MAX, FOLLOWS, insertDeadLetters, readQuarantined } from './dead-letters.ts';
import { type Drift, readAudit, writeAudit } from './drifts.ts';
import { isPoison, moment } from './rows.ts';

const TRANSACTION_LIMIT_MS = 10_000;

/** How a run of entries is written. */
export interface ApplyPolicy {
  /** Whether drift makes the lane suspect, to be closed until the books agree. */
  closesOnDrift: boolean;
  keepsHistory: boolean;
}

/** A run of entries and where it leads. `fold` is told which reservations must wait. */
export interface Run {
  lane: number;
  from: Watermark;
  to: Watermark & { eventAtMs: number };
  fold: (quarantined: ReadonlySet<string>) => FoldedChanges;
  /** The transitions one by one, each at its own risk. Only for a run of a single entry. */
  apart?: () => Apart[];
}

/**
 * What came of a run. `moved`: another writer has gone on already, and nothing was written. A suspect
 * lane must close: its books disagree, or too many dead letters wait.
 */
export type Applied =
  | { status: 'moved' }
  | { status: 'committed'; isSuspect: boolean; drifts: Drift[]; deadLetters: DeadLetter[] };

// Each transition within a savepoint of its own. What fails, and what follows it, joins the letters.
async function applyApart(
  connection: PoolConnection,
  apart: Apart[],
  known: readonly DeadLetter[],
  { keepsHistory }: ApplyPolicy,
): Promise<DeadLetter[]> {
  const letters = [...known];
  const waiting = new Set(known.map(({ reservation }) => reservation).filter(Boolean));
  for (const { rows, letter } of apart) {
    if (known.some(({ ordinal }) => ordinal === letter.ordinal)) continue;
    if (waiting.has(letter.reservation)) {
      letters.push({ ...letter, error: FOLLOWS });
      continue;
    }
    await connection.query('SAVEPOINT apart');
    try {
      await applyRows(connection, rows, keepsHistory);
      await connection.query('RELEASE SAVEPOINT apart');
    } catch (error) {
      if (!isPoison(error)) throw error;
      await connection.query('ROLLBACK TO SAVEPOINT apart');
      letters.push({ ...letter, error: driverError(error).message });
      if (letter.reservation !== '') waiting.add(letter.reservation);
    }
  }
  return letters;
}

/**
 * Commits a run of journal entries and the watermark behind it, all or nothing. Throws when a row
 * does not take what the journal says; with `apart`, that transition becomes a dead letter instead.
 */
export function applyChanges(database: Database, run: Run, policy: ApplyPolicy): Promise<Applied> {
  const { lane, from, to } = run;
  return transaction(database, TRANSACTION_LIMIT_MS, async (connection) => {
    const [[row]] = await connection.query<RowDataPacket[]>(
      'SELECT epoch, sequence, `call`, drifts, suspect, dead_letters FROM lanes WHERE lane = ? FOR UPDATE',
      [lane],
    );
    const unmoved =
      row &&
      Number(row.epoch) === from.epoch &&
      Number(row.sequence) === from.sequence &&
      row.call === from.call;
    if (!unmoved) return { status: 'moved' };
    const quarantined =
      row.dead_letters > 0 ? await readQuarantined(connection, lane) : new Set<string>();
    const changes = run.fold(quarantined);
    let { deadLetters } = changes;
    if (run.apart) deadLetters = await applyApart(connection, run.apart(), deadLetters, policy);
    else await applyRows(connection, changes, policy.keepsHistory);
    const audit = await readAudit(connection, lane, Number(row.drifts));
    await applyStock(connection, changes, audit);
    await writeAudit(connection, audit, to.eventAtMs);
    await insertDeadLetters(connection, lane, deadLetters);
    const left = audit.open.size - audit.resolved.size;
    const drifts = left + audit.found.filter(({ isResolved }) => !isResolved).length;
    const isSuspect = drifts > 0 && (policy.closesOnDrift || Boolean(row.suspect));
    await connection.query(
      'UPDATE lanes SET epoch = ?, sequence = ?, `call` = ?, emitted = ?, event_at = ?, drifts = ?,' +
        ' suspect = ?, dead_letters = dead_letters + ? WHERE lane = ?',
      [
        to.epoch,
        to.sequence,
        to.call,
        to.emitted,
        moment(to.eventAtMs),
        drifts,
        isSuspect,
        deadLetters.length,
        lane,
      ],
    );
    const isFull = Number(row.dead_letters) + deadLetters.length > DEAD_LETTERS_MAX;
    const committed = { drifts: audit.found, deadLetters };
    return { status: 'committed', isSuspect: isSuspect || isFull, ...committed };
  });
}
