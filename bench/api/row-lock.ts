import { OpenAPIHono } from '@hono/zod-openapi';
import mysql, { type PoolConnection, type RowDataPacket } from 'mysql2/promise';
import { SOLD_OUT, SOLD_OUT_HEADERS } from './answers.ts';
import { compiled } from './compiled.ts';
import { holdRoute } from './hold-route.ts';
import { addOrders } from './row-lock-orders.ts';
import type { ApiSettings, RunningApi } from './settings.ts';

// Enough for MySQL to commit in groups; more only wait for the same row.
const CONNECTIONS = 16;
const HOLD_TTL_MS = 3_600_000;

/** Tables of the design with a row lock; the same columns as Holdfast's own. */
export const ROW_LOCK_TABLES = [
  `CREATE TABLE row_lock_products (id BIGINT PRIMARY KEY, price_minor BIGINT NOT NULL,
    currency CHAR(3) NOT NULL, available BIGINT NOT NULL, held BIGINT NOT NULL)`,
  `CREATE TABLE row_lock_holds (id VARCHAR(40) CHARACTER SET ascii COLLATE ascii_bin PRIMARY KEY,
    product_id BIGINT NOT NULL, qty INT NOT NULL, state VARCHAR(16) NOT NULL,
    buyer VARCHAR(64) NOT NULL, amount_minor BIGINT NOT NULL, currency CHAR(3) NOT NULL,
    created_at DATETIME(3) NOT NULL, expires_at DATETIME(3) NOT NULL)`,
  `CREATE TABLE row_lock_orders (id VARCHAR(40) CHARACTER SET ascii COLLATE ascii_bin PRIMARY KEY,
    state VARCHAR(16) NOT NULL, buyer VARCHAR(64) NOT NULL, amount_minor BIGINT NOT NULL,
    currency CHAR(3) NOT NULL, created_at DATETIME(3) NOT NULL, pay_by DATETIME(3) NOT NULL)`,
];

interface Wanted {
  id: string;
  productId: number;
  qty: number;
  buyer: string;
  nowMs: number;
}

/** What the product costs, or undefined when it is sold out. Committed durably. */
async function hold(
  connection: PoolConnection,
  { id, productId, qty, buyer, nowMs }: Wanted,
): Promise<{ amountMinor: number; currency: string } | undefined> {
  await connection.beginTransaction();
  const [rows] = await connection.execute<RowDataPacket[]>(
    'SELECT available, price_minor, currency FROM row_lock_products WHERE id = ? FOR UPDATE',
    [productId],
  );
  const product = rows[0];
  if (!product || Number(product.available) < qty) {
    await connection.rollback();
    return undefined;
  }
  const amountMinor = Number(product.price_minor) * qty;
  const currency = String(product.currency);
  await connection.execute(
    'UPDATE row_lock_products SET available = available - ?, held = held + ? WHERE id = ?',
    [qty, qty, productId],
  );
  await connection.execute('INSERT INTO row_lock_holds VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)', [
    ...[id, productId, qty, 'held', buyer, amountMinor, currency],
    ...[new Date(nowMs), new Date(nowMs + HOLD_TTL_MS)],
  ]);
  await connection.commit();
  return { amountMinor, currency };
}

/** The usual design: MySQL alone, the product's row locked for each hold, durable commits. */
export async function startRowLock({ mysqlUrl }: ApiSettings): Promise<RunningApi> {
  const { holdJson } = (await compiled(
    'http/reservation-answer',
  )) as typeof import('../../src/http/reservation-answer.ts');
  const { holdId, newReservationId } = (await compiled(
    'domain/ids',
  )) as typeof import('../../src/domain/ids.ts');
  const { listen } = (await compiled('http/server')) as typeof import('../../src/http/server.ts');

  const pool = mysql.createPool({ uri: mysqlUrl, connectionLimit: CONNECTIONS, timezone: 'Z' });
  const app = new OpenAPIHono();
  app.openapi(await holdRoute(), async (c) => {
    const { items, buyer } = c.req.valid('json');
    const { productId = 0, qty = 0 } = items[0] ?? {};
    const id = newReservationId(0);
    const nowMs = Date.now();
    const connection = await pool.getConnection();
    const held = await hold(connection, { id, productId, qty, buyer, nowMs }).finally(() =>
      connection.release(),
    );
    if (!held) return c.body(JSON.stringify(SOLD_OUT), 409, SOLD_OUT_HEADERS);
    const answer = holdJson({
      id,
      state: 'held',
      items,
      ...held,
      expiresAtMs: nowMs + HOLD_TTL_MS,
    });
    return c.json(answer, 201, { Location: `/api/holds/${holdId(id)}` });
  });
  await addOrders(app, pool);
  const server = await listen(app, { host: '127.0.0.1', port: 0 });
  return {
    port: server.port,
    close: async () => {
      await server.close();
      await pool.end();
    },
  };
}
