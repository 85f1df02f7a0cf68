import type { PoolConnection, RowDataPacket } from 'mysql2/promise';
import { applyRows } from '../db/apply-rows.ts';
import { type Database, driverError, retried, transaction } from '../db/client.ts';
import { isPoison } from '../db/rows.ts';
import { makeReady } from '../db/rows-made-again.ts';
import {
  countDeadLetters,
  listDeadLetters,
  lockOpenLetters,
  markReplayed,
  readDeadLetter,
} from '../db/stored-letters.ts';
import type { DeadLetters, LetterId, ReplayOutcome, StoredLetter } from '../domain/dead-letters.ts';
import { type Transition, transitionsOf } from '../domain/journal.ts';
import { parseJournalEntry } from '../domain/parse-journal.ts';
import { isLive } from '../domain/reservation.ts';
import { foldTransition, noRows } from './fold.ts';

const TRANSACTION_LIMIT_MS = 10_000;

/** Ends the transaction, so that nothing of the replay stays. */
class Refused extends Error {
  readonly letter: StoredLetter;

  constructor(letter: StoredLetter, reason: string) {
    super(reason);
    this.letter = letter;
  }
}

// What another version of Holdfast could not read, this one may.
function stepsOf(letter: StoredLetter): Transition[] {
  const { id, transition } = letter;
  if (transition.kind !== 'unreadable') return [transition];
  const { field, value } = transition.event;
  const chain = ['call', 'replay', 'prev', 'replay'];
  const entry = parseJournalEntry(`${id.epoch}-${id.sequence}`, [...chain, field, value]);
  const [unreadable] = entry.unreadable;
  if (unreadable) throw new Refused(letter, `it still cannot be read: ${unreadable.why}`);
  return transitionsOf(entry);
}

async function replayLetter(
  connection: PoolConnection,
  letter: StoredLetter,
  keepsHistory: boolean,
): Promise<{ steps: Transition[]; madeAgain: string[] }> {
  const { id, atMs } = letter;
  const steps = stepsOf(letter);
  const madeAgain: string[] = [];
  try {
    for (const step of steps) {
      if (step.kind === 'reservation') {
        madeAgain.push(...(await makeReady(connection, id.lane, step.event)));
      }
      const rows = noRows(id.lane);
      foldTransition(rows, step, { ...id, atMs });
      await applyRows(connection, rows, keepsHistory);
    }
  } catch (error) {
    if (!isPoison(error)) throw error;
    throw new Refused(letter, driverError(error).message);
  }
  return { steps, madeAgain };
}

async function replayWithin(
  connection: PoolConnection,
  id: LetterId,
  keepsHistory: boolean,
): Promise<ReplayOutcome> {
  // Drains and rebuilds of the lane wait for it, and so do other replays. Redis' counters and
  // `stock` have moved already; the watermark stays where it is.
  const [[lane]] = await connection.query<RowDataPacket[]>(
    'SELECT epoch FROM lanes WHERE lane = ? FOR UPDATE',
    [id.lane],
  );
  const asked = lane && (await readDeadLetter(connection, id));
  if (!asked) return { status: 'not_found' };
  const letters = await lockOpenLetters(connection, asked);
  const [first] = letters;
  if (!first) return { status: 'already_replayed' };
  const madeAgain: string[] = [];
  let isLeftLive = false;
  for (const letter of letters) {
    const replayed = await replayLetter(connection, letter, keepsHistory);
    madeAgain.push(...replayed.madeAgain);
    for (const { kind, event } of replayed.steps) {
      if (kind === 'reservation') isLeftLive = isLive(event.to);
    }
  }
  await markReplayed(connection, id.lane, letters);
  const isMissingInRedis = isLeftLive && first.id.epoch < Number(lane.epoch);
  return { status: 'replayed', letters, madeAgain, isMissingInRedis };
}

/**
 * Writes the rows of a dead letter, and of all that wait with it, in the order of the journal, all
 * or nothing. Counters stay as they are: they moved when the letters were put aside. Safe while
 * writers are at work, and a second call does nothing.
 */
export async function replayDeadLetters(
  database: Database,
  id: LetterId,
  keepsHistory: boolean,
): Promise<ReplayOutcome> {
  try {
    return await retried(() =>
      transaction(database, TRANSACTION_LIMIT_MS, (connection) =>
        replayWithin(connection, id, keepsHistory),
      ),
    );
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return { status: 'still_refused', letter: error.letter, reason: error.message };
  }
}

export const deadLettersOf = (database: Database, keepsHistory: boolean): DeadLetters => ({
  list: async (which) => ({
    letters: await listDeadLetters(database, which),
    open: await countDeadLetters(database),
  }),
  replay: (id) => replayDeadLetters(database, id, keepsHistory),
});
