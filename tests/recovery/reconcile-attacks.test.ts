import { expect, test } from 'vitest';
import { newCall } from '../../src/domain/ids.ts';
import { reconcileBuyers } from '../../src/recovery/reconcile/buyers.ts';
import { reconcileCounters } from '../../src/recovery/reconcile/counters.ts';
import { reconcileLive } from '../../src/recovery/reconcile/live.ts';
import { reconcileStock } from '../../src/recovery/reconcile/stock.ts';
import { markScript } from '../../src/redis/bindings/mark.ts';
import { buyersKey, dueKey, laneKey, productKey } from '../../src/redis/keys.ts';
import { drained, expectBooksBalance } from '../support/books.ts';
import { held, hold, unique } from '../support/buying.ts';
import { append, block } from '../support/dead-letters.ts';
import { makeProduct, ownEngine, seconds, type TestEngine } from '../support/engine.ts';
import { stagedBooks } from '../support/staged-books.ts';
import { undrainedEngine } from '../support/undrained.ts';
import { eventually } from '../support/wait.ts';
import { soldSome } from './sold-some.ts';

// Sequences that were found by attacking the reconciliation. Each was a false finding, a repair that
// did harm, or damage that stayed, once.

const nothing = async () => undefined;
const roles = ['api', 'writer', 'expiry'] as const;
const engine = () => ownEngine({ config: { roles } }, expectBooksBalance);

const reconcile = (t: TestEngine, fixes: boolean) =>
  t.reconcile({ productId: null, fixes, cause: 'command', isPaced: false });
const kindsOf = ({ findings }: { findings: { kind: string }[] }) =>
  [...new Set(findings.map(({ kind }) => kind))].sort();
const isOpen = (t: TestEngine) =>
  eventually(async () => expect(await t.redis.hget(laneKey(0), 'state')).toBe('open'));

test('what cannot be repaired while the lane is closed does not keep it closed', async () => {
  const t = await engine();
  const { product, pending } = await soldSome(t);
  await t.redis.hset(productKey(0, product.id), 'price_minor', '1');
  await t.sql(
    "INSERT INTO payment_events (reference, order_id, status, received_at) VALUES (?, ?, 'success', '2026-01-01')",
    [unique('pay'), `order_${pending}`],
  );
  await t.sql(
    "INSERT INTO stock_adjustments (product_id, `key`, delta, created_at) VALUES (?, ?, 4, '2026-01-01')",
    [product.id, unique('delivery')],
  );
  await t.redis.hincrby(productKey(0, product.id), 'available', -7);
  await held(t, product, { buyer: 'zoe' });
  await eventually(async () => expect(await t.redis.hget(laneKey(0), 'state')).toBe('closed'));
  await reconcile(t, true);
  await isOpen(t);
  await eventually(async () => {
    await reconcile(t, true);
    expect((await reconcile(t, false)).findings).toEqual([]);
  });
});

test('counters that a rebuild has made right are not corrected by an older mark', async () => {
  const t = await engine();
  const { product } = await soldSome(t);
  await t.redis.hincrby(productKey(0, product.id), 'available', 7);
  const books = await stagedBooks(t, {
    note: async ({ kind }) => {
      if (kind === 'redis_disagrees') await t.lanes.rebuild(0, false);
    },
  });
  await reconcileCounters(books, 0, [product.id]).catch(() => {});
  expect(await t.redis.hget(laneKey(0), 'epoch')).toBe('2');
});

test('stock that a rebuild has made right is not moved by an older difference', async () => {
  const t = await engine();
  const { product } = await soldSome(t);
  await t.sql('UPDATE stock SET available = available + 5 WHERE product_id = ?', [product.id]);
  const books = await stagedBooks(t, {
    note: async ({ kind }) => {
      if (kind === 'stock_disagrees') await t.lanes.rebuild(0, false);
    },
  });
  await reconcileStock(books, 0).catch(() => {});
  expect(await t.redis.hget(laneKey(0), 'epoch')).toBe('2');
});

test('what became a dead letter during the run is left alone', async () => {
  const { t, product } = await undrainedEngine(nothing);
  const books = await stagedBooks(t, {
    step: async (step) => {
      if (step !== 'orders') return;
      const { id } = await held(t, product, { qty: 2 });
      await block(t, id);
      await t.drain(0);
    },
  });
  await reconcileLive(books, 0);
  expect(books.findings).toEqual([]);
  expect(await t.redis.zcard(dueKey(0))).toBe(1);
});

test("units that wait as dead letters are not taken off their buyer's count", async () => {
  const t = await ownEngine({ config: { roles } }, nothing);
  const product = await makeProduct(t, { totalStock: 50, maxPerBuyer: 2 });
  const other = (await held(t, product, { qty: 1, buyer: 'bob' })).id;
  await drained(t);
  await t.sql(
    "CREATE TRIGGER refuse BEFORE INSERT ON holds FOR EACH ROW BEGIN IF NEW.buyer = 'mallory' THEN" +
      " SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'refused'; END IF; END",
  );
  await t.sql(
    "CREATE TRIGGER keep BEFORE UPDATE ON holds FOR EACH ROW BEGIN IF NEW.buyer = 'bob' THEN" +
      " SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'refused'; END IF; END",
  );
  await held(t, product, { qty: 2, buyer: 'mallory' });
  await t.engine.release(other, seconds(1)).catch(() => {});
  await eventually(async () => {
    expect(await t.sql('SELECT 1 FROM dead_letters')).toHaveLength(2);
  });
  expect(kindsOf(await reconcile(t, true))).toEqual(['dead_letter']);
  expect(await t.redis.hgetall(buyersKey(0, product.id))).toEqual({ mallory: '2' });
});

test('the items of a hold were deleted', async () => {
  const t = await engine();
  const { live, product } = await soldSome(t);
  const other = await makeProduct(t);
  const both = [
    { productId: product.id, qty: 1 },
    { productId: other.id, qty: 2 },
  ];
  const { id } = await held(t, both, { buyer: 'kim' });
  await drained(t);
  await t.sql('DELETE FROM hold_items WHERE hold_id = ?', [`hold_${live}`]);
  await t.sql('DELETE FROM hold_items WHERE hold_id = ? AND product_id = ?', [
    `hold_${id}`,
    other.id,
  ]);
  expect(kindsOf(await reconcile(t, false))).toContain('row_missing');
  await reconcile(t, true);
  expect((await reconcile(t, false)).findings).toEqual([]);
  const rows = await t.sql('SELECT product_id, qty FROM hold_items WHERE hold_id IN (?)', [
    [`hold_${live}`, `hold_${id}`],
  ]);
  expect(rows).toHaveLength(3);
});

test('a buyer who holds and gives back without a pause is counted right', async () => {
  const t = await engine();
  const product = await makeProduct(t, { totalStock: 50, maxPerBuyer: 2 });
  await drained(t);
  let id = '';
  const buy = async () => {
    if (id !== '') return;
    ({ id } = await held(t, product, { buyer: 'ann' }));
    await drained(t);
  };
  const giveBack = async () => {
    if (id === '') return;
    await t.engine.release(id, seconds(5));
    id = '';
    await drained(t);
  };
  const books = await stagedBooks(t, {
    step: buy,
    reached: buy,
    ask: async (what) => {
      if (what === 'lane' && id !== '') await giveBack();
    },
  });
  await reconcileBuyers(books, 0, [product.id]);
  expect(books.findings).toEqual([]);
});

test('nothing is found in a lane that is being rebuilt', async () => {
  const { t, product } = await undrainedEngine(nothing);
  await held(t, product, { qty: 2 });
  await t.drain(0);
  const state = { state: 'rebuilding', epoch: '2', position: '' };
  const books = await stagedBooks(t, {
    step: async (step) => {
      if (step !== 'orders') return;
      await t.redis.hset(laneKey(0), state);
      await t.redis.unlink(dueKey(0));
    },
    fixes: false,
  });
  await reconcileLive(books, 0).catch(() => {});
  expect(books.findings).toEqual([]);
});

test('a mark behind an entry that cannot be read, in one run, tells the truth', async () => {
  const { t, product } = await undrainedEngine(nothing);
  const counters = { available: '97', held: '3' };
  await t.redis.hset(productKey(0, product.id), counters);
  await append(t, ['reservation', 'of a later version', 'counters', `${product.id}:100:97:3:0:0`]);
  const [epoch, run = ''] = await t.redis.hmget(laneKey(0), 'epoch', 'run');
  const gate = { epoch: Number(epoch), run: run ?? '', call: newCall() };
  await markScript.run(t.redis, laneKey(0), { ...gate, productIds: [product.id] });
  await t.drain(0);
  const [mark] = await t.sql('SELECT differences FROM marks WHERE id = ?', [gate.call]);
  expect(JSON.parse(JSON.stringify(mark?.differences))).toEqual([]);
});

test('the stock of a product was deleted', async () => {
  const t = await engine();
  const { product } = await soldSome(t);
  await t.sql('DELETE FROM stock WHERE product_id = ?', [product.id]);
  expect(kindsOf(await reconcile(t, false))).toContain('stock_disagrees');
  await reconcile(t, true);
  expect((await reconcile(t, false)).findings).toEqual([]);
  expect(await hold(t, product, { buyer: 'zoe' })).toMatchObject({ status: 'held' });
});

test('while a lane is closed, what is overdue there is not laid at the door of expiry', async () => {
  const t = await ownEngine({ config: { roles } }, nothing);
  const { product } = await soldSome(t);
  await t.redis.hincrby(productKey(0, product.id), 'available', -7);
  await held(t, product, { buyer: 'zoe' });
  await eventually(async () => expect(await t.redis.hget(laneKey(0), 'state')).toBe('closed'));
  for (const member of await t.redis.zrange(dueKey(0), 0, '-1')) {
    await t.redis.zadd(dueKey(0), Date.now() - 60_000, member);
  }
  expect(kindsOf(await reconcile(t, false))).not.toContain('overdue');
});
