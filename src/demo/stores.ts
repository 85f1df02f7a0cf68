import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';
import mysql, { type Connection, type RowDataPacket } from 'mysql2/promise';
import { dueKey, laneKey, productKey } from '../redis/keys.ts';

// Reads both stores past the engine: plain clients, own SQL, and nothing of Holdfast but the names
// of its keys.

const LOOK_EVERY_MS = 50;
const SCAN_COUNT = 1_000;
const IDS_AT_ONCE = 500;

export interface Counters {
  total: number;
  available: number;
  held: number;
  pending: number;
  sold: number;
}

/** The same stock, as four accounts tell it. */
export interface Books {
  /** The product's counters in Redis. */
  redis: Counters;
  /** Units of the members of Redis' deadline index. */
  index: Pick<Counters, 'held' | 'pending'>;
  /** The `stock` row in MySQL. */
  stock: Counters;
  /** What the rows of holds and orders add up to. */
  rows: Counters;
}

/** Reservations of one product, by the state of the hold and of its order. */
export interface Reservations {
  holdState: string;
  orderState: string | null;
  count: number;
  units: number;
}

const NAMES = ['total', 'available', 'held', 'pending', 'sold'] as const;

function countersOf(values: readonly unknown[]): Counters {
  const [total, available, held, pending, sold] = values.map((value) => Number(value ?? 0));
  return { total, available, held, pending, sold } as Counters;
}

/** Connections of the audit's own. */
export class Stores {
  readonly #redis: Redis;
  readonly #mysql: Connection;

  private constructor(redis: Redis, connection: Connection) {
    this.#redis = redis;
    this.#mysql = connection;
  }

  static async open(redisUrl: string, mysqlUrl: string): Promise<Stores> {
    const redis = new Redis(redisUrl, { lazyConnect: true });
    // Without a listener ioredis prints what `connect` rejects with anyway.
    redis.on('error', () => {});
    const uri = { uri: mysqlUrl, timezone: 'Z', supportBigNumbers: true } as const;
    try {
      await redis.connect();
      return new Stores(redis, await mysql.createConnection(uri));
    } catch (error) {
      redis.disconnect();
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#redis.disconnect();
    await this.#mysql.end();
  }

  async sql(text: string, values: unknown[] = []): Promise<RowDataPacket[]> {
    return (await this.#mysql.query<RowDataPacket[]>(text, values))[0];
  }

  /** Rows of a query with one `IN (?)`, for any number of ids. */
  async sqlIn(text: string, ids: readonly string[]): Promise<RowDataPacket[]> {
    const rows: RowDataPacket[] = [];
    for (let at = 0; at < ids.length; at += IDS_AT_ONCE) {
      rows.push(...(await this.sql(text, [ids.slice(at, at + IDS_AT_ONCE)])));
    }
    return rows;
  }

  async laneOf(productId: number): Promise<number> {
    const [row] = await this.sql('SELECT lane FROM products WHERE id = ?', [productId]);
    return Number(row?.lane ?? 0);
  }

  async redisCounters(lane: number, productId: number): Promise<Counters> {
    return countersOf(await this.#redis.hmget(productKey(lane, productId), ...NAMES));
  }

  /** Whether nothing of the product is held or pending any more; looks until `limitMs` is over. */
  atRest(lane: number, productId: number, limitMs: number): Promise<boolean> {
    return this.#until(limitMs, async () => {
      const { held, pending } = await this.redisCounters(lane, productId);
      return held === 0 && pending === 0;
    });
  }

  /** Whether MySQL has all that the lane's journal tells up to now; looks until `limitMs`. */
  async drained(lane: number, limitMs: number): Promise<boolean> {
    const position = (await this.#redis.hget(laneKey(lane), 'position')) ?? '';
    const [epoch = 0, sequence = -1] = position.split('-').map(Number);
    const text = 'SELECT epoch, sequence FROM lanes WHERE lane = ?';
    return this.#until(limitMs, async () => {
      const [row] = await this.sql(text, [lane]);
      if (row === undefined) return false;
      const watermark = { epoch: Number(row.epoch), sequence: Number(row.sequence) };
      if (watermark.epoch !== epoch) return watermark.epoch > epoch;
      return watermark.sequence >= sequence;
    });
  }

  async #until(limitMs: number, look: () => Promise<boolean>): Promise<boolean> {
    const giveUpAt = performance.now() + limitMs;
    for (;;) {
      if (await look()) return true;
      if (performance.now() > giveUpAt) return false;
      await pause(LOOK_EVERY_MS);
    }
  }

  async #indexUnits(lane: number, productId: number): Promise<Books['index']> {
    const units = { held: 0, pending: 0 };
    const seen = new Set<string>();
    let cursor = '0';
    do {
      const [next, flat] = await this.#redis.zscan(dueKey(lane), cursor, 'COUNT', SCAN_COUNT);
      cursor = next;
      // A scan may tell of a member twice.
      for (let at = 0; at < flat.length; at += 2) seen.add(String(flat[at]));
    } while (cursor !== '0');
    for (const member of seen) {
      const [, state, , items = ''] = member.split('|');
      if (state !== 'held' && state !== 'pending') continue;
      for (const item of items.split(',')) {
        const [id, qty] = item.split(':').map(Number);
        if (id === productId) units[state] += Number(qty);
      }
    }
    return units;
  }

  async reservations(productId: number): Promise<Reservations[]> {
    // A hold and its order share what follows the prefix; orders have no index on `hold_id`.
    const rows = await this.sql(
      `SELECT h.state AS hold_state, o.state AS order_state, COUNT(*) AS count,
          SUM(i.qty) AS units
        FROM hold_items i
        JOIN holds h ON h.id = i.hold_id
        LEFT JOIN orders o ON o.id = CONCAT('order_', SUBSTRING(h.id, 6))
        WHERE i.product_id = ?
        GROUP BY h.state, o.state`,
      [productId],
    );
    return rows.map((row) => ({
      holdState: String(row.hold_state),
      orderState: row.order_state === null ? null : String(row.order_state),
      count: Number(row.count),
      units: Number(row.units),
    }));
  }

  async #rowUnits(productId: number, reservations: readonly Reservations[]): Promise<Counters> {
    const [row] = await this.sql(
      `SELECT initial_stock + COALESCE((SELECT SUM(a.delta) FROM stock_adjustments a
          WHERE a.product_id = p.id AND a.epoch IS NOT NULL), 0) AS total
        FROM products p WHERE p.id = ?`,
      [productId],
    );
    const total = Number(row?.total ?? 0);
    const sum = (counts: (it: Reservations) => boolean) =>
      reservations.filter(counts).reduce((units, it) => units + it.units, 0);
    const held = sum(({ holdState }) => holdState === 'held');
    const pending = sum(({ orderState }) => orderState === 'pending');
    const sold = sum(({ orderState }) => orderState === 'paid' || orderState === 'refunded');
    return { total, available: total - held - pending - sold, held, pending, sold };
  }

  async books(
    lane: number,
    productId: number,
    reservations: readonly Reservations[],
  ): Promise<Books> {
    const [row] = await this.sql(`SELECT ${NAMES.join(', ')} FROM stock WHERE product_id = ?`, [
      productId,
    ]);
    return {
      redis: await this.redisCounters(lane, productId),
      index: await this.#indexUnits(lane, productId),
      stock: countersOf(NAMES.map((name) => row?.[name])),
      rows: await this.#rowUnits(productId, reservations),
    };
  }
}
