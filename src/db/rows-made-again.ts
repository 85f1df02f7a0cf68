import type { PoolConnection, RowDataPacket } from 'mysql2/promise';
import { createdAtOf, holdId, orderId } from '../domain/ids.ts';
import type { ReservationEvent } from '../domain/journal.ts';
import { insert, moment, type Row, RowsDisagree } from './rows.ts';

// A step of a reservation whose row is gone proves that there was one, and says most of what was in
// it. What nobody can know any more is taken from the product as it is today.

interface Found {
  state: string;
  version: number;
}

/** What a product says about reservations of it. */
interface Rules {
  priceMinor: number;
  currency: string;
  holdTtlMs: number;
  extendMs: number;
}

const NO_RULES: Rules = { priceMinor: 0, currency: '', holdTtlMs: 0, extendMs: 0 };

async function lockRow(
  connection: PoolConnection,
  table: 'holds' | 'orders',
  id: string,
): Promise<Found | undefined> {
  const [[row]] = await connection.query<RowDataPacket[]>(
    `SELECT state, version FROM ${table} WHERE id = ? FOR UPDATE`,
    [id],
  );
  return row && { state: String(row.state), version: Number(row.version) };
}

async function rulesOf(
  connection: PoolConnection,
  { items }: ReservationEvent,
): Promise<Map<number, Rules>> {
  const [rows] = await connection.query<RowDataPacket[]>(
    'SELECT id, price_minor, currency, hold_ttl_ms, extend_ms FROM products WHERE id IN (?)',
    [items.map(({ productId }) => productId)],
  );
  return new Map(
    rows.map(({ id, price_minor, currency, hold_ttl_ms, extend_ms }) => {
      const times = { holdTtlMs: Number(hold_ttl_ms), extendMs: Number(extend_ms) };
      return [Number(id), { priceMinor: Number(price_minor), currency, ...times }];
    }),
  );
}

/** What rows of a reservation say at least, as far as an event of it tells. */
interface Proven {
  event: ReservationEvent;
  lane: number;
  createdAtMs: number;
  expiresAtMs: number;
  pricesMinor: number[];
  amountMinor: number;
  currency: string;
}

async function provenBy(
  connection: PoolConnection,
  lane: number,
  event: ReservationEvent,
): Promise<Proven> {
  const rules = await rulesOf(connection, event);
  const known = event.items.map(({ productId }) => rules.get(productId) ?? NO_RULES);
  const [only] = event.items;
  // An overdue reservation expires without its amount.
  const knowsPrice = only && event.items.length === 1 && event.amountMinor > 0;
  const pricesMinor = knowsPrice
    ? [Math.round(event.amountMinor / only.qty)]
    : known.map(({ priceMinor }) => priceMinor);
  const sum = event.items.reduce((total, { qty }, at) => total + qty * (pricesMinor[at] ?? 0), 0);
  const createdAtMs = createdAtOf(event.id);
  const ttlMs = Math.min(...known.map(({ holdTtlMs }) => holdTtlMs));
  // The hold that an order was made of is at version 1 until it is extended.
  const wasExtended = event.from === 'held' && event.version > 2;
  const extendMs = wasExtended ? Math.min(...known.map(({ extendMs }) => extendMs)) : 0;
  return {
    ...{ event, lane, createdAtMs, pricesMinor },
    // The deadline of what was a hold until now; later ones are those of the order.
    expiresAtMs:
      event.from === 'held' && event.to !== 'pending'
        ? event.deadlineMs
        : createdAtMs + ttlMs + extendMs,
    amountMinor: event.amountMinor || sum,
    currency: event.currency || (known[0]?.currency ?? ''),
  };
}

async function makeHold(connection: PoolConnection, proven: Proven, found: Found): Promise<void> {
  const { event, lane, createdAtMs, expiresAtMs, amountMinor, currency, pricesMinor } = proven;
  const id = holdId(event.id);
  await insert(
    connection,
    'INSERT INTO holds (id, lane, state, version, buyer, counted, amount_minor, currency,' +
      ' created_at, expires_at) VALUES ?',
    [
      [
        ...[id, lane, found.state, found.version, event.buyer, event.counted ? 1 : 0],
        ...[amountMinor, currency, moment(createdAtMs), moment(expiresAtMs)],
      ],
    ],
  );
  // They may still be there, with the price of the moment the hold was made.
  await insert(
    connection,
    'INSERT INTO hold_items (hold_id, product_id, qty, price_minor) VALUES ?' +
      ' ON DUPLICATE KEY UPDATE qty = VALUES(qty)',
    event.items.map(({ productId, qty }, at): Row => [id, productId, qty, pricesMinor[at] ?? 0]),
  );
}

async function makeOrder(connection: PoolConnection, proven: Proven): Promise<void> {
  const { event, lane, createdAtMs, amountMinor, currency } = proven;
  await insert(
    connection,
    'INSERT INTO orders (id, hold_id, lane, state, version, buyer, amount_minor, currency, counted,' +
      ' created_at, pay_by) VALUES ?',
    [
      [
        ...[orderId(event.id), holdId(event.id), lane, event.from, event.version - 1, event.buyer],
        ...[amountMinor, currency, event.counted ? 1 : 0],
        ...[moment(createdAtMs), moment(event.deadlineMs)],
      ],
    ],
  );
}

function expectFollows(id: string, found: Found, { from, to, version }: ReservationEvent): void {
  if (found.state === from && found.version === version - 1) return;
  throw new RowsDisagree(
    `${id} is ${found.state} at version ${found.version}; this step makes version ${version}, from ` +
      `${from} to ${to}`,
  );
}

/**
 * Has the row that an event changes be there as it was before: made again where it is gone. Returns
 * the ids of rows it made. Throws `RowsDisagree` where the row is one that the event cannot follow.
 */
export async function makeReady(
  connection: PoolConnection,
  lane: number,
  event: ReservationEvent,
): Promise<string[]> {
  if (event.from === 'none') return [];
  const [held, ordered] = [holdId(event.id), orderId(event.id)];
  const isOrder = event.from !== 'held';
  const hold = await lockRow(connection, 'holds', held);
  const order = isOrder ? await lockRow(connection, 'orders', ordered) : undefined;
  if (order) expectFollows(ordered, order, event);
  if (hold && !isOrder) expectFollows(held, hold, event);
  const made: string[] = [];
  if (hold && (order || !isOrder)) return made;
  const proven = await provenBy(connection, lane, event);
  if (!hold) {
    const state = isOrder ? 'ordered' : 'held';
    await makeHold(connection, proven, { state, version: event.version - 1 });
    made.push(held);
  }
  if (isOrder && !order) {
    await makeOrder(connection, proven);
    made.push(ordered);
  }
  return made;
}
