import type { Ledger } from './ledger.ts';
import type { Plan } from './sale.ts';
import type { Books, Counters, Reservations, Stores } from './stores.ts';

const REST_SLACK_MS = 15_000;
const DRAIN_LIMIT_MS = 60_000;
const EXAMPLES = 3;

/** What both stores say about the sale, and what is wrong with it. */
export interface Audit {
  /** No finding. */
  ok: boolean;
  /** Units of paid orders. */
  sold: number;
  /** Orders, by their last state. */
  orders: Record<'paid' | 'cancelled' | 'expired' | 'refundDue', number>;
  /** Holds that did not become orders, by their last state. */
  holds: Record<'granted' | 'ordered' | 'released' | 'expired', number>;
  /** Payment events, by what became of them. */
  receipts: Record<'paid' | 'failed' | 'ignored' | 'refundDue' | 'open', number>;
  /** Orders with an event whose money is to go back. */
  ordersToRefund: number;
  /** Units given away above the total, by the account that says most. */
  oversold: number;
  /** Units by which the accounts of the same stock differ. */
  drift: number;
  /** What was acknowledged, and is missing in MySQL or says something else there. */
  lost: number;
  /** Requests and payments that took effect twice. */
  doubled: number;
  /** Holds and orders that did not end, and payments without an outcome. */
  unfinished: number;
  books: Books;
  /** One line for each thing that is wrong. */
  findings: string[];
}

/** Waits, within bounds, until every unit is sold or back and MySQL has the whole journal. */
async function rest(stores: Stores, plan: Plan, findings: string[]) {
  const { productId, holdTtlMs, payTtlMs } = plan;
  const lane = await stores.laneOf(productId);
  const restMs = holdTtlMs + payTtlMs + REST_SLACK_MS;
  if (!(await stores.atRest(lane, productId, restMs))) {
    findings.push('units are still held or pending in Redis');
  }
  if (!(await stores.drained(lane, DRAIN_LIMIT_MS))) {
    findings.push('MySQL does not have the whole journal');
  }
  return lane;
}

/** The largest difference in each counter, added up; each difference is a finding. */
export function driftOf({ redis, index, stock, rows }: Books, findings: string[]): number {
  let drift = 0;
  for (const name of ['total', 'available', 'held', 'pending', 'sold'] as const) {
    const accounts = [redis[name], stock[name], rows[name]];
    let text = `Redis ${redis[name]}, stock row ${stock[name]}, rows of holds ${rows[name]}`;
    if (name === 'held' || name === 'pending') {
      accounts.push(index[name]);
      text += `, deadline index ${index[name]}`;
    }
    const differing = Math.max(...accounts) - Math.min(...accounts);
    drift += differing;
    if (differing > 0) findings.push(`units ${name} differ: ${text}`);
  }
  return drift;
}

/** Units given away above the total, or below zero. */
export function oversoldOf(books: Books, total: number, findings: string[]): number {
  const above = ({ held, pending, sold, available }: Counters) =>
    Math.max(held + pending + sold - total, -available, 0);
  const oversold = Math.max(above(books.redis), above(books.stock), above(books.rows));
  if (oversold > 0) findings.push(`units given away above ${total}: ${oversold}`);
  return oversold;
}

function compare<T>(
  what: string,
  told: Map<string, T>,
  found: Map<string, string>,
  agrees: (told: T, found: string) => boolean,
  findings: string[],
): number {
  const lost = [...told].filter(([id, it]) => {
    const state = found.get(id);
    return state === undefined || !agrees(it, state);
  });
  if (lost.length > 0) {
    const examples = lost
      .slice(0, EXAMPLES)
      .map(([id]) => `${id} is ${found.get(id) ?? 'missing'}`);
    findings.push(`acknowledged ${what} lost or changed: ${lost.length} (${examples.join(', ')})`);
  }
  return lost.length;
}

/** Whatever was acknowledged must be in MySQL, in the state that was told last. */
async function countLost(stores: Stores, ledger: Ledger, findings: string[]): Promise<number> {
  const { holds, orders, receipts } = ledger;
  const states = async (table: 'holds' | 'orders', ids: string[]) => {
    const rows = await stores.sqlIn(`SELECT id, state FROM ${table} WHERE id IN (?)`, ids);
    return new Map(rows.map((row) => [String(row.id), String(row.state)]));
  };
  const outcomes = await stores.sqlIn(
    'SELECT reference, order_id, outcome FROM payment_events WHERE reference IN (?)',
    [...receipts.keys()],
  );
  const receiptRows = outcomes.map(
    (row) => [String(row.reference), `${row.outcome} for ${row.order_id}`] as const,
  );
  const holdRows = await states('holds', [...holds.keys()]);
  const orderRows = await states('orders', [...orders.keys()]);
  return (
    compare('holds', holds, holdRows, (was, is) => was === 'held' || was === is, findings) +
    compare('orders', orders, orderRows, (was, is) => was === 'pending' || was === is, findings) +
    compare(
      'payments',
      receipts,
      new Map(receiptRows),
      ({ orderId, outcome }, is) => is === `${outcome} for ${orderId}`,
      findings,
    )
  );
}

/** Two holds under one key, two payments that paid one order, or an order paid by none. */
async function countDoubled(stores: Stores, plan: Plan, findings: string[]): Promise<number> {
  const count = async (text: string, values: unknown[], finding: string) => {
    const [row] = await stores.sql(`SELECT COUNT(*) AS count FROM (${text}) AS wrong`, values);
    const found = Number(row?.count ?? 0);
    if (found > 0) findings.push(`${finding}: ${found}`);
    return found;
  };
  const twoHolds = await count(
    `SELECT h.idempotency_key FROM hold_items i JOIN holds h ON h.id = i.hold_id
      WHERE i.product_id = ? GROUP BY h.idempotency_key HAVING COUNT(*) > 1`,
    [plan.productId],
    'Idempotency-Keys with two holds',
  );
  const paidTwice = await count(
    `SELECT order_id FROM payment_events WHERE reference LIKE ? AND status = 'success'
      AND outcome = 'applied' GROUP BY order_id HAVING COUNT(*) > 1`,
    [`demo-${plan.run}-%`],
    'orders paid by two events',
  );
  const unpaid = await count(
    `SELECT o.id FROM orders o JOIN hold_items i ON i.hold_id = o.hold_id
      WHERE i.product_id = ? AND o.state = 'paid' AND NOT EXISTS (
        SELECT 1 FROM payment_events e
        WHERE e.reference = o.reference AND e.status = 'success' AND e.outcome = 'applied')`,
    [plan.productId],
    'orders paid by no event',
  );
  return twoHolds + paidTwice + unpaid;
}

async function receiptsOf(
  stores: Stores,
  run: string,
): Promise<Pick<Audit, 'receipts' | 'ordersToRefund'>> {
  // Open ones whose order was never made keep waiting for it, which is right.
  const rows = await stores.sql(
    `SELECT CASE WHEN outcome = 'applied' THEN status ELSE COALESCE(outcome, 'open') END AS became,
        COUNT(*) AS count, COUNT(DISTINCT order_id) AS orders FROM payment_events
      WHERE reference LIKE ? GROUP BY became`,
    [`demo-${run}-%`],
  );
  const of = (became: string, figure = 'count') =>
    Number(rows.find((row) => row.became === became)?.[figure] ?? 0);
  const [paid, failed, ignored] = [of('success'), of('failed'), of('ignored')];
  return {
    receipts: { paid, failed, ignored, refundDue: of('refund_due'), open: of('open') },
    ordersToRefund: of('refund_due', 'orders'),
  };
}

/** What did not end: holds, orders, and payments that nothing was decided about. */
async function countUnfinished(
  stores: Stores,
  run: string,
  reservations: readonly Reservations[],
  findings: string[],
): Promise<number> {
  const live = reservations.filter((it) => it.holdState === 'held' || it.orderState === 'pending');
  const unfinished = live.reduce((sum, it) => sum + it.count, 0);
  if (unfinished > 0) findings.push(`holds and orders that did not end: ${unfinished}`);
  const [row] = await stores.sql(
    `SELECT COUNT(*) AS count FROM payment_events e JOIN orders o ON o.id = e.order_id
      WHERE e.reference LIKE ? AND e.outcome IS NULL`,
    [`demo-${run}-%`],
  );
  const undecided = Number(row?.count ?? 0);
  if (undecided > 0) findings.push(`payments of an order without an outcome: ${undecided}`);
  return unfinished + undecided;
}

function statesOf(reservations: readonly Reservations[]): Pick<Audit, 'orders' | 'holds'> {
  const count = (counts: (it: Reservations) => boolean) =>
    reservations.filter(counts).reduce((sum, it) => sum + it.count, 0);
  const orders = (state: string) => count(({ orderState }) => orderState === state);
  const holds = (state: string) => count(({ holdState }) => holdState === state);
  return {
    orders: {
      paid: orders('paid'),
      cancelled: orders('cancelled'),
      expired: orders('expired'),
      refundDue: orders('refund_due'),
    },
    holds: {
      granted: count(() => true),
      ordered: holds('ordered'),
      released: holds('released'),
      expired: holds('expired'),
    },
  };
}

/**
 * Proves the sale from MySQL and Redis themselves, without the engine. Waits until the product is
 * at rest; what does not come to rest within bounds is a finding.
 */
export async function audit(stores: Stores, plan: Plan, ledger: Ledger): Promise<Audit> {
  const findings = [...ledger.unexpected];
  const lane = await rest(stores, plan, findings);
  const reservations = await stores.reservations(plan.productId);
  const books = await stores.books(lane, plan.productId, reservations);
  const found = {
    sold: books.rows.sold,
    ...statesOf(reservations),
    ...(await receiptsOf(stores, plan.run)),
    oversold: oversoldOf(books, plan.stock, findings),
    drift: driftOf(books, findings),
    lost: await countLost(stores, ledger, findings),
    doubled: await countDoubled(stores, plan, findings),
    unfinished: await countUnfinished(stores, plan.run, reservations, findings),
    books,
  };
  return { ok: findings.length === 0, ...found, findings };
}
