import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';
import mysql, { type Connection, type RowDataPacket } from 'mysql2/promise';
import {
  type Adjustment,
  type Books,
  COUNTERS,
  type Counters,
  type FinalState,
  type HoldRow,
  type LanePosition,
  type OpenMatter,
  type OrderRow,
  type ReceiptRow,
} from './state.ts';

// The checker's own look at both stores: plain clients, own SQL, and the names that PROTOCOL gives.

const LOOK_EVERY_MS = 50;
const laneKey = (lane: number) => `hf:{${lane}}:lane`;
const key = (lane: number, what: string) => `hf:{${lane}}:${what}`;

const countersOf = (values: readonly unknown[]): Counters => {
  const [total, available, held, pending, sold] = values.map((value) => Number(value ?? 0));
  return { total, available, held, pending, sold } as Counters;
};

const msOf = (value: unknown): number => (value instanceof Date ? value.getTime() : Number.NaN);
const msOrNull = (value: unknown): number | null => (value === null ? null : msOf(value));

/** Connections of the checker's own. */
export class StateReader {
  readonly #redis: Redis;
  readonly #mysql: Connection;

  private constructor(redis: Redis, connection: Connection) {
    this.#redis = redis;
    this.#mysql = connection;
  }

  static async open(redisUrl: string, mysqlUrl: string): Promise<StateReader> {
    const connection = await mysql.createConnection({
      ...{ uri: mysqlUrl, timezone: 'Z', supportBigNumbers: true },
    });
    const redis = new Redis(redisUrl);
    redis.on('error', () => {});
    return new StateReader(redis, connection);
  }

  async close(): Promise<void> {
    this.#redis.disconnect();
    await this.#mysql.end();
  }

  async sql(text: string): Promise<RowDataPacket[]> {
    return (await this.#mysql.query<RowDataPacket[]>(text))[0];
  }

  /**
   * What is still under way, in words; empty once every hold and order has ended, every payment of
   * an order has its outcome and MySQL has the whole journal.
   */
  async unsettled(): Promise<string> {
    const counts = await this.sql(`
      SELECT (SELECT COUNT(*) FROM holds WHERE state = 'held') AS holds,
        (SELECT COUNT(*) FROM orders WHERE state = 'pending') AS orders,
        (SELECT COUNT(*) FROM payment_events e JOIN orders o ON o.id = e.order_id
          WHERE e.outcome IS NULL) AS receipts`);
    const live = Object.entries(counts[0] ?? {}).filter(([, count]) => Number(count) > 0);
    const texts = live.map(([name, count]) => `${count} open ${name}`);
    for (const { lane, redis, mysql: watermark, state } of await this.#lanes()) {
      if (state !== 'open') texts.push(`lane ${lane} is ${state}`);
      else if (redis !== watermark) texts.push(`lane ${lane} at ${redis}, MySQL at ${watermark}`);
      const due = await this.#redis.zcard(key(lane, 'due'));
      if (due > 0) texts.push(`${due} members due in lane ${lane}`);
    }
    return texts.join(', ');
  }

  /** Waits until nothing is under way, and returns what still is at the limit. */
  async settled(limitMs: number): Promise<string> {
    const giveUpAt = performance.now() + limitMs;
    for (;;) {
      const unsettled = await this.unsettled();
      if (unsettled === '' || performance.now() > giveUpAt) return unsettled;
      await pause(LOOK_EVERY_MS);
    }
  }

  async #lanes(): Promise<LanePosition[]> {
    const rows = await this.sql('SELECT lane, epoch, sequence, `call` FROM lanes ORDER BY lane');
    return Promise.all(
      rows.map(async ({ lane, epoch, sequence, call }) => {
        const fields = ['state', 'epoch', 'position', 'tail'] as const;
        const found = await this.#redis.hmget(laneKey(Number(lane)), ...fields);
        const [state, redisEpoch, position, tail] = found.map((it) => it ?? '');
        const redis = `${position || `${redisEpoch}-start`} ${tail}`;
        const mysql = `${Number(sequence) < 0 ? `${epoch}-start` : `${epoch}-${sequence}`} ${call}`;
        return { lane: Number(lane), state: state || 'absent', redis, mysql };
      }),
    );
  }

  async read(): Promise<FinalState> {
    return {
      holds: await this.#holds(),
      orders: await this.#orders(),
      receipts: await this.#receipts(),
      adjustments: await this.#adjustments(),
      books: await this.#books(),
      lanes: await this.#lanes(),
      deadLetters: await this.#open(
        'dead_letters WHERE replayed_at IS NULL',
        "CONCAT(kind, ' ', reservation, ', ', error)",
      ),
      drifts: await this.#open(
        'drifts WHERE resolved_at IS NULL',
        "CONCAT('product ', product_id)",
      ),
    };
  }

  async #open(from: string, what: string): Promise<OpenMatter[]> {
    const rows = await this.sql(
      `SELECT epoch, sequence, ${what} AS what FROM ${from} ORDER BY epoch, sequence`,
    );
    return rows.map((row) => ({
      position: `${row.epoch}-${row.sequence}`,
      what: String(row.what),
    }));
  }

  async #holds(): Promise<Map<string, HoldRow>> {
    const holds = new Map<string, HoldRow>();
    for (const row of await this.sql('SELECT * FROM holds')) {
      const { id, state, buyer, idempotency_key, amount_minor } = row;
      const times = {
        createdAtMs: msOf(row.created_at),
        expiresAtMs: msOf(row.expires_at),
        endedAtMs: msOrNull(row.ended_at),
      };
      const texts = { state, buyer, key: idempotency_key };
      const numbers = { amountMinor: Number(amount_minor), counted: Number(row.counted) === 1 };
      holds.set(id, { ...texts, ...numbers, ...times, items: [] });
    }
    for (const row of await this.sql('SELECT hold_id, product_id, qty FROM hold_items')) {
      const item = { product_id: Number(row.product_id), qty: Number(row.qty) };
      holds.get(row.hold_id)?.items.push(item);
    }
    return holds;
  }

  async #orders(): Promise<Map<string, OrderRow>> {
    const rows = await this.sql(
      'SELECT id, hold_id, state, reference, pay_by, settled_at FROM orders',
    );
    return new Map(
      rows.map(({ id, hold_id, state, reference, pay_by, settled_at }) => {
        const times = { payByMs: msOf(pay_by), settledAtMs: msOrNull(settled_at) };
        return [id, { holdId: hold_id, state, reference, ...times }];
      }),
    );
  }

  async #receipts(): Promise<Map<string, ReceiptRow>> {
    const rows = await this.sql('SELECT reference, order_id, status, outcome FROM payment_events');
    return new Map(
      rows.map(({ reference, order_id, status, outcome }) => [
        reference,
        { orderId: order_id, status, outcome },
      ]),
    );
  }

  async #adjustments(): Promise<Map<string, Adjustment>> {
    const rows = await this.sql('SELECT product_id, `key`, delta, epoch FROM stock_adjustments');
    return new Map(
      rows.map(({ product_id, key: name, delta, epoch }) => [
        `${product_id}:${name}`,
        { delta: Number(delta), isPlaced: epoch !== null },
      ]),
    );
  }

  async #books(): Promise<Map<number, Books>> {
    const books = new Map<number, Books>();
    const stock = new Map<number, RowDataPacket>();
    for (const row of await this.sql('SELECT * FROM stock')) stock.set(Number(row.product_id), row);
    const products = await this.sql('SELECT id, lane, initial_stock, max_per_buyer FROM products');
    const index = await this.#index(new Set(products.map(({ lane }) => Number(lane))));
    for (const { id: text, lane, initial_stock, max_per_buyer } of products) {
      const id = Number(text);
      const counters = await this.#redis.hmget(key(lane, `product:${id}`), ...COUNTERS);
      const buyers = await this.#redis.hgetall(key(lane, `buyers:${id}`));
      books.set(id, {
        redis: countersOf(counters),
        stock: countersOf(COUNTERS.map((name) => stock.get(id)?.[name])),
        index: index.get(id) ?? { held: 0, pending: 0 },
        buyers: new Map(Object.entries(buyers).map(([name, units]) => [name, Number(units)])),
        maxPerBuyer: max_per_buyer === null ? null : Number(max_per_buyer),
        initialStock: Number(initial_stock),
      });
    }
    return books;
  }

  async #index(lanes: ReadonlySet<number>): Promise<Map<number, Books['index']>> {
    const units = new Map<number, Books['index']>();
    for (const lane of lanes) {
      for (const member of await this.#redis.zrange(key(lane, 'due'), '0', '-1')) {
        const [, state, , items = ''] = member.split('|');
        for (const item of items.split(',')) {
          const [id = 0, qty = 0] = item.split(':').map(Number);
          const of = units.get(id) ?? { held: 0, pending: 0 };
          if (state === 'held' || state === 'pending') of[state] += qty;
          units.set(id, of);
        }
      }
    }
    return units;
  }
}
