import type { PoolConnection, RowDataPacket } from 'mysql2/promise';
import { NO_UNITS, plus } from '../domain/counters.ts';
import type { UnitsByProduct } from '../domain/journal.ts';
import type { Counters } from '../domain/product.ts';
import type { DeadLetter } from './changes.ts';
import { insert, moment } from './rows.ts';

const ERROR_LENGTH = 500;
/** With more of them open, something is wrong with the tables, not with a row: the lane closes. */
export const DEAD_LETTERS_MAX = 1_000;
/** Why a transition is a dead letter that nothing is wrong with. */
export const FOLLOWS = 'follows an earlier transition of the same reservation';

/** Reservations of a lane that have a dead letter: their later transitions must wait behind it. */
export async function readQuarantined(
  connection: Pick<PoolConnection, 'query'>,
  lane: number,
): Promise<Set<string>> {
  const [rows] = await connection.query<RowDataPacket[]>(
    "SELECT DISTINCT reservation FROM dead_letters WHERE lane = ? AND replayed_at IS NULL AND reservation <> ''",
    [lane],
  );
  return new Set(rows.map((row) => String(row.reservation)));
}

/**
 * What the dead letters of a lane did to counters, by product: `stock` is the sum of the rows and of
 * this.
 */
export async function sumDeadLetters(
  connection: Pick<PoolConnection, 'query'>,
  lane: number,
): Promise<Map<number, Counters>> {
  const [rows] = await connection.query<RowDataPacket[]>(
    'SELECT units FROM dead_letters WHERE lane = ? AND replayed_at IS NULL',
    [lane],
  );
  const sums = new Map<number, Counters>();
  for (const { units } of rows) {
    const moved: UnitsByProduct = typeof units === 'string' ? JSON.parse(units) : units;
    for (const [id, delta] of moved) sums.set(id, plus(sums.get(id) ?? NO_UNITS, delta));
  }
  return sums;
}

export async function insertDeadLetters(
  connection: PoolConnection,
  lane: number,
  letters: readonly DeadLetter[],
): Promise<void> {
  await insert(
    connection,
    'INSERT INTO dead_letters (lane, epoch, sequence, ordinal, kind, reservation, payload, units,' +
      ' error, at) VALUES ?',
    letters.map((letter) => [
      lane,
      letter.epoch,
      letter.sequence,
      letter.ordinal,
      letter.transition.kind,
      letter.reservation.slice(0, 40),
      JSON.stringify(letter.transition),
      JSON.stringify(letter.units),
      letter.error.slice(0, ERROR_LENGTH),
      moment(letter.atMs),
    ]),
  );
}
