import { expect } from 'vitest';
import { buyersKey, dueKey, laneKey, productKey } from '../../src/redis/keys.ts';
import type { TestEngine } from './engine.ts';
import { eventually } from './wait.ts';

// An account of its own of both stores: it adds up rows, and uses nothing of the engine but the
// names of keys.

const COUNTERS = ['total', 'available', 'held', 'pending', 'sold'] as const;
const DRAINED_WITHIN_MS = 15_000;

type Stores = Pick<TestEngine, 'redis' | 'sql' | 'config'>;
type Numbers = Record<string, number>;

async function positionsOf({ redis, config }: Stores): Promise<string[]> {
  const fields = ['position', 'tail', 'emitted'] as const;
  return Promise.all(
    Array.from({ length: config.lanes }, async (_, lane) =>
      (await redis.hmget(laneKey(lane), ...fields)).join(' '),
    ),
  );
}

/** Returns once MySQL has everything that the journals have told. */
export function drained(stores: Stores, limitMs = DRAINED_WITHIN_MS): Promise<string[]> {
  return eventually(async () => {
    const positions = await positionsOf(stores);
    const rows = await stores.sql('SELECT * FROM lanes');
    for (const [lane, position] of positions.entries()) {
      const row = rows.find((it) => it.lane === lane);
      const id = row && row.sequence >= 0 ? `${row.epoch}-${row.sequence}` : '';
      expect(`${id} ${row?.call} ${row?.emitted}`, `watermark of lane ${lane}`).toBe(position);
    }
    return positions;
  }, limitMs);
}

async function countersInRedis({ redis }: Stores, lane: number, id: number): Promise<Numbers> {
  const values = await redis.hmget(productKey(lane, id), ...COUNTERS);
  return Object.fromEntries(COUNTERS.map((name, index) => [name, Number(values[index])]));
}

interface Live {
  members: Map<string, number>;
  buyers: Map<string, Record<string, string>>;
}

/** What each product's rows of holds and orders add up to. */
async function sumsOfRows({ sql }: Stores): Promise<Map<number, Numbers>> {
  const rows = await sql(`
    SELECT p.id, p.initial_stock
        + COALESCE((SELECT SUM(a.delta) FROM stock_adjustments a
            WHERE a.product_id = p.id AND a.epoch IS NOT NULL), 0) AS total,
      COALESCE(SUM(IF(h.state = 'held', i.qty, 0)), 0) AS held,
      COALESCE(SUM(IF(o.state = 'pending', i.qty, 0)), 0) AS pending,
      COALESCE(SUM(IF(o.state IN ('paid', 'refunded'), i.qty, 0)), 0) AS sold
    FROM products p
    LEFT JOIN hold_items i ON i.product_id = p.id
    LEFT JOIN holds h ON h.id = i.hold_id
    LEFT JOIN orders o ON o.hold_id = i.hold_id
    GROUP BY p.id`);
  return new Map(
    rows.map((row) => {
      const [total, held, pending, sold] = [row.total, row.held, row.pending, row.sold].map(Number);
      const sums = { total, held, pending, sold } as Numbers;
      const taken = Number(held) + Number(pending) + Number(sold);
      return [Number(row.id), { ...sums, available: Number(total) - taken }];
    }),
  );
}

/** The index and the buyers' counts that the rows imply. */
async function liveOfRows({ sql }: Stores, lane: number): Promise<Live> {
  const rows = await sql(
    `SELECT h.id, h.buyer, IFNULL(o.counted, h.counted) AS counted, h.state, h.version, h.expires_at, o.state AS order_state,
        o.version AS order_version, o.pay_by,
        GROUP_CONCAT(CONCAT(i.product_id, ':', i.qty) ORDER BY i.product_id) AS items
      FROM holds h JOIN hold_items i ON i.hold_id = h.id LEFT JOIN orders o ON o.hold_id = h.id
      WHERE h.lane = ? GROUP BY h.id, o.id`,
    [lane],
  );
  const live: Live = { members: new Map(), buyers: new Map() };
  for (const row of rows) {
    const isOrder = row.order_state !== null;
    expect(isOrder, `${row.id} is ${row.state}`).toBe(row.state === 'ordered');
    const state = row.order_state ?? row.state;
    const version = isOrder ? row.order_version : row.version;
    const buyer = row.counted ? row.buyer : '';
    if (['held', 'pending'].includes(state)) {
      const id = String(row.id).slice('hold_'.length);
      const deadline: Date = isOrder ? row.pay_by : row.expires_at;
      live.members.set([id, state, version, row.items, buyer].join('|'), deadline.getTime());
    }
    if (buyer === '' || !['held', 'pending', 'paid', 'refunded'].includes(state)) continue;
    for (const item of String(row.items).split(',')) {
      const [productId, qty] = item.split(':').map(Number);
      const key = buyersKey(lane, productId ?? 0);
      const counts = live.buyers.get(key) ?? {};
      counts[buyer] = String(Number(counts[buyer] ?? 0) + Number(qty));
      live.buyers.set(key, counts);
    }
  }
  return live;
}

async function liveInRedis({ redis }: Stores, lane: number): Promise<Live> {
  const flat = (await redis.zrange(dueKey(lane), 0, '-1', 'WITHSCORES')).flat();
  const live: Live = { members: new Map(), buyers: new Map() };
  for (let at = 0; at < flat.length; at += 2) {
    live.members.set(String(flat[at]), Number(flat[at + 1]));
  }
  for (const key of await redis.keys(`hf:{${lane}}:buyers:*`)) {
    live.buyers.set(key, { ...(await redis.hgetall(key)) });
  }
  return live;
}

/** Every figure of both stores, read while neither moved. */
async function readBooks(stores: Stores) {
  const { sql, config } = stores;
  const before = await drained(stores);
  const products = await sql('SELECT id, lane FROM products');
  const counters = new Map<number, Numbers>();
  for (const { id, lane } of products) counters.set(id, await countersInRedis(stores, lane, id));
  const stock = await sql(`SELECT product_id, ${COUNTERS.join(', ')} FROM stock`);
  const sums = await sumsOfRows(stores);
  const lanes: { redis: Live; rows: Live }[] = [];
  for (let lane = 0; lane < config.lanes; lane += 1) {
    lanes.push({ redis: await liveInRedis(stores, lane), rows: await liveOfRows(stores, lane) });
  }
  if (String(await positionsOf(stores)) !== String(before)) return undefined;
  return { counters, stock, sums, lanes };
}

/**
 * Waits until the journals are drained, and fails unless Redis' counters, the `stock` rows and the
 * sums over rows of holds and orders agree for every product, and the deadline index and the
 * buyers' counts are those of the live rows.
 */
export async function expectBooksBalance(stores: Stores): Promise<void> {
  const books = await eventually(async () => {
    const read = await readBooks(stores);
    // Expiry moved units meanwhile: a mixed picture proves nothing, so another one is taken.
    if (!read) throw new Error('the books never rest');
    return read;
  }, DRAINED_WITHIN_MS);
  expect(books.stock.map((row) => Number(row.product_id)).sort()).toEqual(
    [...books.sums.keys()].sort(),
  );
  for (const { product_id: id, ...row } of books.stock) {
    const sums = books.sums.get(id);
    expect(row, `stock of product ${id} against its rows`).toEqual(sums);
    expect(books.counters.get(id), `Redis against rows, product ${id}`).toEqual(sums);
    expect(Math.min(...Object.values(sums ?? {})), `product ${id}`).toBeGreaterThanOrEqual(0);
  }
  for (const [lane, { redis, rows }] of books.lanes.entries()) {
    expect(redis.members, `index of lane ${lane}`).toEqual(rows.members);
    expect(redis.buyers, `buyers of lane ${lane}`).toEqual(rows.buyers);
  }
}
