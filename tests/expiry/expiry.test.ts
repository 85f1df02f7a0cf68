import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { dueKey } from '../../src/redis/keys.ts';
import { expectBooksBalance } from '../support/books.ts';
import { atOnce, held, hold, ordered, tally } from '../support/buying.ts';
import {
  type EngineOptions,
  makeProduct,
  ownEngine,
  seconds,
  startEngine,
  type TestEngine,
} from '../support/engine.ts';
import { redisTimeAfter } from '../support/redis.ts';
import { eventually } from '../support/wait.ts';

const HOUR_MS = 3_600_000;

// Nobody sweeps and nobody is notified here: what happens, requests do.
let unswept: TestEngine;

beforeAll(async () => {
  unswept = await startEngine({ config: { roles: ['api', 'writer'] } });
});
afterEach(() => expectBooksBalance(unswept));
afterAll(() => unswept.stop());

const countersOf = (t: TestEngine, id: number) => t.engine.readProduct(id, seconds(2));

async function expectHoldsAndOrdersToExpire(options: EngineOptions): Promise<void> {
  const t = await ownEngine(options, expectBooksBalance);
  const product = await makeProduct(t, { holdTtlMs: 500, payTtlMs: 500, maxPerBuyer: 10 });
  const { id } = await held(t, product, { qty: 2, buyer: 'ann' });
  const order = await ordered(t, product, { qty: 3, buyer: 'bob' });
  expect(await countersOf(t, product.id)).toMatchObject({ held: 2, pending: 3 });
  await eventually(async () => {
    const counters = { available: 10, held: 0, pending: 0 };
    expect(await countersOf(t, product.id)).toMatchObject(counters);
  });
  await eventually(async () => {
    expect(await t.engine.readOrder(order, seconds(2))).toMatchObject({ state: 'expired' });
    expect(await t.engine.readHold(id, seconds(2))).toMatchObject({ state: 'expired' });
  });
  expect(await hold(t, product, { qty: 10, buyer: 'ann' })).toMatchObject({ status: 'held' });
}

test('P3: with notifications and no sweeper, holds and orders expire by themselves', async () => {
  await expectHoldsAndOrdersToExpire({ sweepEveryMs: HOUR_MS });
});

test('P3: with the sweeper and no notifications, holds and orders expire by themselves', async () => {
  await expectHoldsAndOrdersToExpire({ notifications: false });
});

test('P3: with notifications lost on the way, the sweeper finds what they would have told', async () => {
  const t = await ownEngine({}, expectBooksBalance);
  const product = await makeProduct(t, { holdTtlMs: 300 });
  const holds = await atOnce(20, () => hold(t, product));
  expect(tally(holds)).toEqual({ held: 10, sold_out: 10 });
  // Records that are gone before their time expire without an event.
  await t.redis.del(await t.redis.keys('hf:{0}:res:*'));
  await eventually(async () => {
    expect(await countersOf(t, product.id)).toMatchObject({ available: 10, held: 0 });
  });
});

test('P3: 2,000 holds of 20 products that run out at once all come back', async () => {
  const t = await ownEngine({}, expectBooksBalance);
  const products = await Promise.all(
    Array.from({ length: 20 }, () => makeProduct(t, { totalStock: 100, holdTtlMs: 700 })),
  );
  const outcomes = await Promise.all(
    products.map((product) => atOnce(100, () => hold(t, product))),
  );
  expect(tally(outcomes.flat())).toEqual({ held: 2_000 });
  await eventually(async () => {
    const counters = { total: 100, available: 100, held: 0 };
    for (const product of await t.engine.listProducts(seconds(2))) {
      expect(product).toMatchObject(counters);
    }
  });
  expect(await t.redis.zcard(dueKey(0))).toBe(0);
  await expectBooksBalance(t);
  const rows = await t.sql('SELECT state, COUNT(*) AS holds FROM holds GROUP BY state');
  expect(rows).toEqual([{ state: 'expired', holds: 2_000 }]);
});

test('P3: with two processes that expire, every hold comes back once', async () => {
  const t = await ownEngine({}, expectBooksBalance);
  await t.another();
  const product = await makeProduct(t, { totalStock: 500, holdTtlMs: 300 });
  expect(tally(await atOnce(500, () => hold(t, product)))).toEqual({ held: 500 });
  await eventually(async () => {
    expect(await countersOf(t, product.id)).toMatchObject({ available: 500, held: 0 });
  });
});

test('P3: nobody is told sold out while units are overdue: the request takes them itself', async () => {
  const product = await makeProduct(unswept, { totalStock: 10, holdTtlMs: 500 });
  const holds = await atOnce(10, () => held(unswept, product));
  expect(await hold(unswept, product)).toMatchObject({ status: 'sold_out' });
  await redisTimeAfter(unswept.redis, Math.max(...holds.map((it) => it.expiresAtMs)));
  const again = await atOnce(12, () => hold(unswept, product));
  expect(tally(again)).toEqual({ held: 10, sold_out: 2 });
});

test('P3: not even behind more overdue holds of others than one call reclaims', async () => {
  const crowd = await makeProduct(unswept, { totalStock: 450, holdTtlMs: 400 });
  const wanted = await makeProduct(unswept, { totalStock: 1, holdTtlMs: 600 });
  expect(tally(await atOnce(450, () => hold(unswept, crowd)))).toEqual({ held: 450 });
  const last = await held(unswept, wanted);
  await redisTimeAfter(unswept.redis, last.expiresAtMs);
  expect(await hold(unswept, wanted)).toMatchObject({ status: 'held' });
});

test('P3: a buyer is not kept from holding by an overdue hold of his own', async () => {
  const product = await makeProduct(unswept, { maxPerBuyer: 1, holdTtlMs: 500 });
  const { expiresAtMs } = await held(unswept, product, { buyer: 'ann' });
  expect(await hold(unswept, product, { buyer: 'ann' })).toMatchObject({ status: 'buyer_limit' });
  await redisTimeAfter(unswept.redis, expiresAtMs);
  expect(await hold(unswept, product, { buyer: 'ann' })).toMatchObject({ status: 'held' });
});

test('an overdue hold is read as expired before anybody has swept it', async () => {
  const product = await makeProduct(unswept, { holdTtlMs: 60 });
  const { id, expiresAtMs } = await held(unswept, product);
  await redisTimeAfter(unswept.redis, expiresAtMs);
  const read = await unswept.engine.readHold(id, seconds(2));
  expect(read).toMatchObject({ state: 'expired', expiresAtMs });
  expect(await unswept.redis.zcard(dueKey(0))).toBeGreaterThan(0);
});
