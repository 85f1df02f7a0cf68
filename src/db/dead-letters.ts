import type { PoolConnection, RowDataPacket } from 'mysql2/promise';
import { NO_UNITS, plus } from '../domain/counters.ts';
import { holdId, orderId } from '../domain/ids.ts';
import type { UnitsByProduct } from '../domain/journal.ts';
import type { Counters } from '../domain/product.ts';
import type { DeadLetter } from './changes.ts';
import { fromJson } from './columns.ts';
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

/** Whether steps of a reservation wait as dead letters. */
export async function isQuarantined(
  connection: Pick<PoolConnection, 'query'>,
  lane: number,
  reservation: string,
): Promise<boolean> {
  const [rows] = await connection.query<RowDataPacket[]>(
    'SELECT 1 FROM dead_letters WHERE lane = ? AND reservation = ? AND replayed_at IS NULL LIMIT 1',
    [lane, reservation],
  );
  return rows.length > 0;
}

type Units = Map<number, Counters>;

const add = (sums: Units, id: number, delta: Counters): void => {
  sums.set(id, plus(sums.get(id) ?? NO_UNITS, delta));
};

// Reservations that rows say are held, or pending.
async function liveOf(
  connection: Pick<PoolConnection, 'query'>,
  state: 'held' | 'pending',
  reservations: readonly string[],
): Promise<Set<string>> {
  if (reservations.length === 0) return new Set();
  const [table, nameOf] = state === 'held' ? ['holds', holdId] : (['orders', orderId] as const);
  const [rows] = await connection.query<RowDataPacket[]>(
    `SELECT id FROM ${table} WHERE state = ? AND id IN (?)`,
    [state, reservations.map(nameOf)],
  );
  return new Set(rows.map((row) => String(row.id).slice(nameOf('').length)));
}

// A step takes units from where its row has them. Where the row is gone, nothing has them there.
async function withoutLostRows(
  connection: Pick<PoolConnection, 'query'>,
  byReservation: ReadonlyMap<string, Units>,
): Promise<void> {
  for (const state of ['held', 'pending'] as const) {
    const taking = [...byReservation].filter(
      ([id, units]) => id !== '' && [...units.values()].some((delta) => delta[state] < 0),
    );
    const live = await liveOf(
      connection,
      state,
      taking.map(([id]) => id),
    );
    for (const [reservation, units] of taking) {
      if (live.has(reservation)) continue;
      for (const [id, { [state]: taken }] of units) {
        if (taken < 0) add(units, id, { ...NO_UNITS, [state]: -taken, available: taken });
      }
    }
  }
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
    'SELECT reservation, units FROM dead_letters WHERE lane = ? AND replayed_at IS NULL',
    [lane],
  );
  const byReservation = new Map<string, Units>();
  for (const { reservation, units } of rows) {
    const moved = fromJson<UnitsByProduct>(units);
    const known: Units = byReservation.get(reservation) ?? new Map();
    for (const [id, delta] of moved) add(known, id, delta);
    byReservation.set(reservation, known);
  }
  await withoutLostRows(connection, byReservation);
  const sums: Units = new Map();
  for (const units of byReservation.values()) {
    for (const [id, delta] of units) add(sums, id, delta);
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
