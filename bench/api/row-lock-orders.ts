import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Pool, PoolConnection, RowDataPacket } from 'mysql2/promise';
import { compiled } from './compiled.ts';
import { orderRoute } from './order-route.ts';

const PAY_TTL_MS = 900_000;

/** The order of a held hold, or undefined when there is none. Committed durably. */
async function order(connection: PoolConnection, id: string, nowMs: number) {
  await connection.beginTransaction();
  const [rows] = await connection.execute<RowDataPacket[]>(
    'SELECT product_id, qty, state, buyer, amount_minor, currency FROM row_lock_holds' +
      ' WHERE id = ? FOR UPDATE',
    [id],
  );
  const hold = rows[0];
  if (hold?.state !== 'held') {
    await connection.rollback();
    return undefined;
  }
  const { product_id, qty, buyer, amount_minor, currency } = hold;
  await connection.execute("UPDATE row_lock_holds SET state = 'ordered' WHERE id = ?", [id]);
  const payByMs = nowMs + PAY_TTL_MS;
  await connection.execute('INSERT INTO row_lock_orders VALUES (?, ?, ?, ?, ?, ?, ?)', [
    ...[id, 'pending', buyer, amount_minor, currency, new Date(nowMs), new Date(payByMs)],
  ]);
  await connection.commit();
  return {
    items: [{ productId: Number(product_id), qty: Number(qty) }],
    amountMinor: Number(amount_minor),
    currency: String(currency),
    payByMs,
  };
}

/** Adds `POST /api/orders`: the hold's row is locked and used, the order's row inserted. */
export async function addOrders(app: OpenAPIHono, pool: Pool): Promise<void> {
  const { orderJson } = (await compiled(
    'http/reservation-answer',
  )) as typeof import('../../src/http/reservation-answer.ts');
  const { orderId, parseHoldId } = (await compiled(
    'domain/ids',
  )) as typeof import('../../src/domain/ids.ts');
  const ended = { reference: null, settledAtMs: null, refundedAtMs: null };

  app.openapi(await orderRoute(), async (c) => {
    const id = parseHoldId(c.req.valid('json').hold_id) ?? '';
    const nowMs = Date.now();
    const connection = await pool.getConnection();
    const made = await order(connection, id, nowMs).finally(() => connection.release());
    if (!made) return c.body(null, 409);
    const answer = orderJson({ id, state: 'pending', createdAtMs: nowMs, ...made, ...ended });
    return c.json(answer, 201, { Location: `/api/orders/${orderId(id)}` });
  });
}
