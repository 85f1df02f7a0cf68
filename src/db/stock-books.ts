import type { PoolConnection, RowDataPacket } from 'mysql2/promise';
import { NO_UNITS, plus } from '../domain/counters.ts';
import type { Counters } from '../domain/product.ts';
import { type Database, snapshot } from './client.ts';
import { sumDeadLetters } from './dead-letters.ts';

const LIMIT_MS = 60_000;

/** A product's stock by two accounts of one snapshot. */
export interface StockBooks {
  productId: number;
  /** Of the lane, when this was so. */
  epoch: number;
  /** The fold of the journal. */
  stock: Counters;
  /** The sum over rows, and over what waits as dead letters. */
  rows: Counters;
}

type Connection = Pick<PoolConnection, 'query'>;
type Units = Map<number, number>;

async function unitsOf(connection: Connection, sql: string, lane: number): Promise<Units> {
  const [rows] = await connection.query<RowDataPacket[]>(sql, [lane]);
  return new Map(rows.map((row) => [Number(row.id), Number(row.units)]));
}

const HELD =
  "SELECT i.product_id AS id, SUM(i.qty) AS units FROM holds h JOIN hold_items i ON i.hold_id = h.id WHERE h.lane = ? AND h.state = 'held' GROUP BY i.product_id";
const ofOrders = (states: string) =>
  `SELECT i.product_id AS id, SUM(i.qty) AS units FROM orders o JOIN hold_items i ON i.hold_id = o.hold_id WHERE o.lane = ? AND o.state IN (${states}) GROUP BY i.product_id`;
const TOLD = 'SELECT id FROM products WHERE lane = ? AND rules_applied > 0 AND id NOT IN (?)';
const TOTAL =
  'SELECT p.id, p.initial_stock + COALESCE(SUM(a.delta), 0) AS units FROM products p LEFT JOIN' +
  ' stock_adjustments a ON a.product_id = p.id AND a.epoch IS NOT NULL WHERE p.lane = ?' +
  ' GROUP BY p.id, p.initial_stock';

/** Both accounts of every product of a lane that the journal has told of. */
export function readStockBooks(database: Database, lane: number): Promise<StockBooks[]> {
  return snapshot(database, LIMIT_MS, async (connection) => {
    const [stock] = await connection.query<RowDataPacket[]>(
      'SELECT * FROM stock WHERE lane = ? ORDER BY product_id',
      [lane],
    );
    const totals = await unitsOf(connection, TOTAL, lane);
    const held = await unitsOf(connection, HELD, lane);
    const pending = await unitsOf(connection, ofOrders("'pending'"), lane);
    // Units of refunded orders were not returned.
    const sold = await unitsOf(connection, ofOrders("'paid', 'refunded'"), lane);
    const waiting = await sumDeadLetters(connection, lane);
    const [[mark]] = await connection.query<RowDataPacket[]>(
      'SELECT epoch FROM lanes WHERE lane = ?',
      [lane],
    );
    // The journal has told of them, so they had a row.
    const known = [0, ...stock.map((row) => row.product_id)];
    const [lost] = await connection.query<RowDataPacket[]>(TOLD, [lane, known]);
    const gone = lost.map(({ id }) => ({ product_id: id, ...NO_UNITS }));
    return [...stock, ...gone].map((row) => {
      const productId = Number(row.product_id);
      const of = (units: Units) => units.get(productId) ?? 0;
      // A product whose own row is gone has no other account of its total.
      const total = totals.get(productId) ?? Number(row.total);
      const taken = { held: of(held), pending: of(pending), sold: of(sold) };
      const available = total - taken.held - taken.pending - taken.sold;
      const { total: all, available: left, held: h, pending: p, sold: s } = row;
      return {
        productId,
        epoch: Number(mark?.epoch),
        stock: { total: all, available: left, held: h, pending: p, sold: s } as Counters,
        rows: plus({ total, available, ...taken }, waiting.get(productId) ?? NO_UNITS),
      };
    });
  });
}

/**
 * Moves the counters of a product by a difference, whatever they have come to meanwhile. False when
 * the lane was rebuilt since, which makes them right by itself.
 */
export async function correctStock(
  connection: PoolConnection,
  lane: number,
  { productId, epoch }: Pick<StockBooks, 'productId' | 'epoch'>,
  { total, available, held, pending, sold }: Counters,
): Promise<boolean> {
  await connection.query('START TRANSACTION');
  try {
    // Writers and rebuilds lock it first, too.
    const [[row]] = await connection.query<RowDataPacket[]>(
      'SELECT epoch, sequence FROM lanes WHERE lane = ? FOR UPDATE',
      [lane],
    );
    const isSame = Number(row?.epoch) === epoch;
    const values = [productId, lane, total, available, held, pending, sold, epoch, row?.sequence];
    if (isSame) {
      await connection.query(
        'INSERT INTO stock (product_id, lane, total, available, held, pending, sold, epoch, sequence)' +
          ' VALUES (?) ON DUPLICATE KEY UPDATE total = total + VALUES(total),' +
          ' available = available + VALUES(available), held = held + VALUES(held),' +
          ' pending = pending + VALUES(pending), sold = sold + VALUES(sold)',
        [values],
      );
    }
    await connection.query('COMMIT');
    return isSame;
  } catch (error) {
    await connection.query('ROLLBACK');
    throw error;
  }
}

/**
 * Reservations of these products whose rows are not as their history left them, or that have a
 * history and no row; at most `limit`.
 */
export async function listContradicted(
  { pool }: Database,
  lane: number,
  productIds: readonly number[],
  limit: number,
): Promise<string[]> {
  const [edited] = await pool.query<RowDataPacket[]>(
    `SELECT DISTINCT t.reservation AS id FROM hold_items i
      JOIN transitions t ON t.reservation = SUBSTRING(i.hold_id, 6)
      LEFT JOIN holds h ON h.id = i.hold_id
      LEFT JOIN orders o ON o.id = CONCAT('order_', SUBSTRING(i.hold_id, 6))
      WHERE i.product_id IN (?) AND t.lane = ?
        AND NOT EXISTS (SELECT 1 FROM transitions n
          WHERE n.reservation = t.reservation AND n.version > t.version)
        AND (h.id IS NULL OR COALESCE(o.version, h.version) < t.version
          OR (COALESCE(o.version, h.version) = t.version
            AND COALESCE(o.state, IF(h.state = 'ordered', '', h.state)) <> t.to_state))
      LIMIT ?`,
    [productIds, lane, limit],
  );
  return edited.map((row) => String(row.id));
}
