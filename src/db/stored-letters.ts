import type { PoolConnection, RowDataPacket } from 'mysql2/promise';
import type { LetterId, StoredLetter } from '../domain/dead-letters.ts';
import type { Database } from './client.ts';
import { fromJson } from './columns.ts';

type Connection = Pick<PoolConnection, 'query'>;

const letterOf = (row: RowDataPacket): StoredLetter => ({
  id: {
    lane: Number(row.lane),
    epoch: Number(row.epoch),
    sequence: Number(row.sequence),
    ordinal: Number(row.ordinal),
  },
  atMs: row.at.getTime(),
  kind: row.kind,
  reservation: String(row.reservation),
  transition: fromJson(row.payload),
  units: fromJson(row.units),
  reason: String(row.error),
  replayedAtMs: row.replayed_at?.getTime() ?? null,
});

const ID = 'lane, epoch, sequence, ordinal';
const IS_ID = `(${ID}) = (?)`;
const AFTER_ID = `(${ID}) > (?)`;
const keyOf = ({ lane, epoch, sequence, ordinal }: LetterId) => [lane, epoch, sequence, ordinal];

/** Dead letters of all lanes, the newest first, at most `limit`; also replayed ones with `all`. */
export async function listDeadLetters(
  { pool }: Database,
  { all, limit }: { all: boolean; limit: number },
): Promise<StoredLetter[]> {
  const [rows] = await pool.query<RowDataPacket[]>(
    `SELECT * FROM dead_letters ${all ? '' : 'WHERE replayed_at IS NULL'}` +
      ' ORDER BY at DESC, lane DESC, epoch DESC, sequence DESC, ordinal DESC LIMIT ?',
    [limit],
  );
  return rows.map(letterOf);
}

/** How many dead letters wait, in all lanes. */
export async function countDeadLetters({ pool }: Database): Promise<number> {
  const [[row]] = await pool.query<RowDataPacket[]>(
    'SELECT COUNT(*) AS open FROM dead_letters WHERE replayed_at IS NULL',
  );
  return Number(row?.open ?? 0);
}

/** Open dead letters in the order of their journals, page by page: those after `after`. */
export async function listOpenLetters(
  { pool }: Database,
  after: LetterId | undefined,
  limit: number,
): Promise<StoredLetter[]> {
  const [rows] = await pool.query<RowDataPacket[]>(
    `SELECT * FROM dead_letters WHERE replayed_at IS NULL ${after ? `AND ${AFTER_ID}` : ''}` +
      ' ORDER BY lane, epoch, sequence, ordinal LIMIT ?',
    after ? [keyOf(after), limit] : [limit],
  );
  return rows.map(letterOf);
}

/** One dead letter, open or replayed. */
export async function readDeadLetter(
  connection: Connection,
  id: LetterId,
): Promise<StoredLetter | undefined> {
  const sql = `SELECT * FROM dead_letters WHERE ${IS_ID}`;
  const [[row]] = await connection.query<RowDataPacket[]>(sql, [keyOf(id)]);
  return row && letterOf(row);
}

/**
 * Open dead letters that must be replayed together with this one, in the order of the journal: those
 * of its reservation, else it alone. Call it under the lock of the lane's row.
 */
export async function lockOpenLetters(
  connection: Connection,
  { id, reservation }: StoredLetter,
): Promise<StoredLetter[]> {
  const which = reservation === '' ? IS_ID : 'lane = ? AND reservation = ?';
  const [rows] = await connection.query<RowDataPacket[]>(
    `SELECT * FROM dead_letters WHERE ${which} AND replayed_at IS NULL` +
      ' ORDER BY epoch, sequence, ordinal FOR UPDATE',
    reservation === '' ? [keyOf(id)] : [id.lane, reservation],
  );
  return rows.map(letterOf);
}

/** Takes note that rows have what these letters say. */
export async function markReplayed(
  connection: Connection,
  lane: number,
  letters: readonly StoredLetter[],
): Promise<void> {
  await connection.query(
    `UPDATE dead_letters SET replayed_at = UTC_TIMESTAMP(3) WHERE (${ID}) IN (?)`,
    [letters.map(({ id }) => keyOf(id))],
  );
  await connection.query(
    'UPDATE lanes SET dead_letters = (SELECT COUNT(*) FROM dead_letters d WHERE d.lane = ?' +
      ' AND d.replayed_at IS NULL) WHERE lane = ?',
    [lane, lane],
  );
}
