import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { audit } from '../../src/demo/audit.ts';
import { openSale } from '../../src/demo/crowd.ts';
import type { Plan, Sale } from '../../src/demo/sale.ts';
import { Stores } from '../../src/demo/stores.ts';
import { type Listening, listen } from '../../src/http/server.ts';
import { dueKey, productKey } from '../../src/redis/keys.ts';
import { appOn } from '../http/support.ts';
import { makeProduct, startEngine, type TestEngine } from '../support/engine.ts';

const HOLD_TTL_MS = 1_000;
const PAY_TTL_MS = 1_000;

let engine: TestEngine;
let server: Listening;
let stores: Stores;
let plan: Plan;
let sale: Sale;

beforeAll(async () => {
  engine = await startEngine();
  server = await listen(appOn(engine), { host: '127.0.0.1', port: 0 });
  stores = await Stores.open(engine.redisUrl, engine.mysqlUrl);
  const ttls = { holdTtlMs: HOLD_TTL_MS, payTtlMs: PAY_TTL_MS };
  const { id: productId } = await makeProduct(engine, { totalStock: 30, ...ttls });
  const size = { buyers: 100, stock: 30, seconds: 1, seed: 1 };
  plan = {
    url: server.url,
    productId,
    webhookSecret: undefined,
    ...size,
    run: randomUUID().slice(0, 8),
    ...ttls,
  };
  const opened = openSale(plan);
  sale = opened.sale;
  await opened.finished;
});

afterAll(async () => {
  sale.shop.close();
  await stores.close();
  await server.close();
  await engine.stop();
});

const look = () => audit(stores, plan, sale.ledger);

test('a sale balances, and the audit says what came of it', async () => {
  const found = await look();
  expect(found.findings).toEqual([]);
  expect(found).toMatchObject({ ok: true, oversold: 0, drift: 0, lost: 0, doubled: 0 });
  expect(found.unfinished).toBe(0);
  expect(found.sold).toBeGreaterThan(0);
  expect(found.sold).toBeLessThanOrEqual(plan.stock);
  const { holds, orders } = found;
  expect(holds.granted).toBe(holds.ordered + holds.released + holds.expired);
  expect(holds.ordered).toBe(orders.paid + orders.cancelled + orders.expired + orders.refundDue);
  expect(sale.ledger.orders.size).toBe(holds.ordered);
  expect(sale.ledger.paidCount).toBe(orders.paid);
  const left = sale.ledger.refusedBuyerCount + sale.ledger.unservedBuyerCount;
  expect(holds.granted + left).toBe(plan.buyers);
});

/** Damages a store, lets the audit find it, and repairs it. */
async function damaged(damage: () => Promise<unknown>, repair: () => Promise<unknown>) {
  await damage();
  try {
    const found = await look();
    expect(found.ok).toBe(false);
    expect(found.findings.length).toBeGreaterThan(0);
    return found;
  } finally {
    await repair();
    expect((await look()).findings).toEqual([]);
  }
}

test.for(['available', 'sold'])('a counter changed in Redis is drift: %s', async (counter) => {
  const change = (by: number) => engine.redis.hincrby(productKey(0, plan.productId), counter, by);
  const found = await damaged(
    () => change(2),
    () => change(-2),
  );
  expect(found.drift).toBe(2);
});

test.for(['available', 'held', 'sold'])('a changed stock row is drift: %s', async (counter) => {
  const text = `UPDATE stock SET ${counter} = ${counter} + ? WHERE product_id = ?`;
  const change = (by: number) => engine.sql(text, [by, plan.productId]);
  expect(
    (
      await damaged(
        () => change(3),
        () => change(-3),
      )
    ).drift,
  ).toBe(3);
});

test('a member that the deadline index should not have is drift', async () => {
  const member = `planted|held|1|${plan.productId}:4|`;
  const found = await damaged(
    () => engine.redis.zadd(dueKey(0), Date.now() + 3_600_000, member),
    () => engine.redis.zrem(dueKey(0), member),
  );
  expect(found.drift).toBe(4);
});

test('units sold above the total are oversold, even where all accounts agree', async () => {
  const { sold } = (await look()).books.rows;
  plan.stock = sold - 1;
  const found = await damaged(
    async () => undefined,
    async () => {
      plan.stock = 30;
    },
  );
  expect(found).toMatchObject({ oversold: 1, drift: 0 });
});

test('an acknowledged order that is missing, or no longer as told, is lost', async () => {
  const [paid] = [...sale.ledger.orders].find(([, state]) => state === 'paid') ?? [];
  const setState = (state: string) =>
    engine.sql('UPDATE orders SET state = ? WHERE id = ?', [state, paid]);
  const found = await damaged(
    () => setState('expired'),
    () => setState('paid'),
  );
  expect(found.lost).toBe(1);
  expect(found.findings.join()).toContain(`${paid} is expired`);

  const rename = (from: string, to: string) =>
    engine.sql('UPDATE orders SET id = ? WHERE id = ?', [to, from]);
  const gone = await damaged(
    () => rename(String(paid), 'order_elsewhere'),
    () => rename('order_elsewhere', String(paid)),
  );
  expect(gone.lost).toBe(1);
  expect(gone.findings.join()).toContain(`${paid} is missing`);
});

test('a payment without its outcome, or with another one, is found', async () => {
  const [reference] = [...sale.ledger.receipts].find(([, it]) => it.outcome === 'applied') ?? [];
  const setOutcome = (outcome: string | null) =>
    engine.sql('UPDATE payment_events SET outcome = ? WHERE reference = ?', [outcome, reference]);
  const open = await damaged(
    () => setOutcome(null),
    () => setOutcome('applied'),
  );
  expect(open).toMatchObject({ lost: 1, unfinished: 1 });
  const ignored = await damaged(
    () => setOutcome('ignored'),
    () => setOutcome('applied'),
  );
  expect(ignored.lost).toBe(1);
});

test('two holds under one Idempotency-Key are an effect made twice', async () => {
  const [one, other] = await engine.sql(
    `SELECT h.id, h.idempotency_key FROM holds h JOIN hold_items i ON i.hold_id = h.id
      WHERE i.product_id = ? LIMIT 2`,
    [plan.productId],
  );
  const setKey = (key: string) =>
    engine.sql('UPDATE holds SET idempotency_key = ? WHERE id = ?', [key, other?.id]);
  const found = await damaged(
    () => setKey(one?.idempotency_key),
    () => setKey(other?.idempotency_key),
  );
  expect(found.doubled).toBe(1);
});
