import { drizzle } from 'drizzle-orm/mysql2';
import mysql from 'mysql2/promise';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { listContradictedReceipts, listForgottenReceipts } from '../../src/db/open-work.ts';
import { listPaymentsOf, listRefundsDue } from '../../src/db/refunds.ts';
import { firstIdAt, holdId, orderId } from '../../src/domain/ids.ts';
import { startEngine, type TestEngine } from '../support/engine.ts';

// Receipts name their order as providers write it, in another character set than the orders have:
// a join that compares the two as they are reads every order for each receipt.

const COUNT = 5_000;
const FIRST_MS = Date.UTC(2026, 10, 1);
const RARE = ['refund_due', 'amount_mismatch', null];

let t: TestEngine;
const ids = Array.from({ length: COUNT }, (_, index) => firstIdAt(FIRST_MS + index * 1_000));

beforeAll(async () => {
  t = await startEngine({ config: { roles: ['api'] } });
  const at = new Date(FIRST_MS);
  await t.mysql.query(
    'INSERT INTO orders (id, hold_id, state, version, buyer, amount_minor, currency, created_at,' +
      ' pay_by) VALUES ?',
    [
      ids.map((id, index) => [
        ...[orderId(id), holdId(id), index % 3 === 0 ? 'expired' : 'paid', 2, ''],
        ...[100, 'USD', at, at],
      ]),
    ],
  );
  await t.mysql.query(
    'INSERT INTO payment_events (reference, order_id, status, received_at, outcome) VALUES ?',
    [
      ids.map((id, index) => [
        ...[`evt-${index}`, orderId(id), 'success'],
        ...[new Date(FIRST_MS + index), index % 40 === 0 ? RARE[(index / 40) % 3] : 'applied'],
      ]),
    ],
  );
  await t.sql('ANALYZE TABLE orders, payment_events');
});
afterAll(() => t.stop());

interface Plan {
  table: string;
  type: string;
  key: string | null;
}

type Database = TestEngine['database'];

const COMPARISON = 'contradicted receipts';
const STATEMENTS: Record<string, (database: Database) => Promise<unknown[]>> = {
  'refunds due': (database) => listRefundsDue(database, undefined, 100),
  'refunds due, the next page': (database) =>
    listRefundsDue(database, { receivedAtMs: FIRST_MS + 9, reference: 'evt-9' }, 100),
  'payments of an order': (database) => listPaymentsOf(database, orderId(ids[7] ?? '')),
  'forgotten receipts': (database) => listForgottenReceipts(database, new Date(FIRST_MS + COUNT)),
  [COMPARISON]: listContradictedReceipts,
};

test.each(Object.keys(STATEMENTS))('%s: each receipt looks up its order', async (name) => {
  const sent: string[] = [];
  const logQuery = (sql: string, values: unknown[]) =>
    sent.push(mysql.format(sql, values as string[]));
  const orm = drizzle({ client: t.database.pool, logger: { logQuery } });
  const found = await STATEMENTS[name]?.({ ...t.database, orm } as unknown as Database);
  expect(found?.length).toBeGreaterThan(0);
  const [statement] = sent;
  const plans = (await t.sql(`EXPLAIN FORMAT=TRADITIONAL ${statement}`)) as unknown as Plan[];
  const { orders, payment_events: events } = Object.fromEntries(
    plans.map((plan) => [plan.table, plan]),
  );
  // Whether a payment contradicts its order is asked of every payment there is.
  if (name !== COMPARISON) expect(events?.key, statement).toMatch(/^payment_events_/);
  expect(orders, statement).toMatchObject({ type: 'eq_ref', key: 'PRIMARY' });
});
