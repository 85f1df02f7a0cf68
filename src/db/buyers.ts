import type { RowDataPacket } from 'mysql2/promise';
import type { Transition } from '../domain/journal.ts';
import type { Database } from './client.ts';
import { fromJson } from './columns.ts';

// What is to be known of buyers before their counts are called wrong.

const BUYER_FIELD = 6;

/**
 * A word for everything that buyers have ever done in a lane; each transition leaves another one
 * behind. Reads all rows of the lane's holds and orders.
 */
export async function readTrails(
  { pool }: Database,
  lane: number,
  buyers: readonly string[],
): Promise<Map<string, string>> {
  const trails = new Map<string, string>();
  if (buyers.length === 0) return trails;
  for (const table of ['holds', 'orders']) {
    const [rows] = await pool.query<RowDataPacket[]>(
      `SELECT buyer, COUNT(*) AS made, SUM(version) AS steps FROM ${table}` +
        ' WHERE lane = ? AND buyer IN (?) GROUP BY buyer',
      [lane, buyers],
    );
    for (const { buyer, made, steps } of rows) {
      trails.set(buyer, `${trails.get(buyer) ?? ''} ${table} ${made} ${steps}`);
    }
  }
  return trails;
}

const buyerOf = (transition: Transition): string | undefined => {
  if (transition.kind === 'reservation') return transition.event.buyer;
  if (transition.kind !== 'unreadable') return undefined;
  return transition.event.value.split('\t')[BUYER_FIELD];
};

/** Buyers of a lane for whom something waits as a dead letter: counted in Redis, and in no row. */
export async function readWaitingBuyers({ pool }: Database, lane: number): Promise<Set<string>> {
  const [rows] = await pool.query<RowDataPacket[]>(
    "SELECT payload FROM dead_letters WHERE lane = ? AND replayed_at IS NULL AND reservation <> ''",
    [lane],
  );
  const transitions = rows.map(({ payload }) => fromJson<Transition>(payload));
  return new Set(transitions.flatMap((transition) => buyerOf(transition) ?? []));
}
