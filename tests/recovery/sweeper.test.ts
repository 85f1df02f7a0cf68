import { expect, test } from 'vitest';
import { insertProduct } from '../../src/db/products.ts';
import { laneKey } from '../../src/redis/keys.ts';
import { drained, expectBooksBalance } from '../support/books.ts';
import { hold } from '../support/buying.ts';
import { makeProduct, newProduct, ownEngine, seconds, type TestEngine } from '../support/engine.ts';
import { eventually } from '../support/wait.ts';

/** What a process left in MySQL that died before it could tell Redis. */
async function leaveProduct(t: TestEngine, lane = 0): Promise<number> {
  const rules = { ...newProduct({ totalStock: 3, lane }), holdTtlMs: 60_000, payTtlMs: 60_000 };
  return insertProduct(t.database, rules, t.config.lanes);
}

async function leaveAdjustment(t: TestEngine, productId: number, delta: number, key: string) {
  await t.sql(
    'INSERT INTO stock_adjustments (product_id, `key`, delta, created_at) VALUES (?, ?, ?, ?)',
    [productId, key, delta, new Date(Date.now() - 60_000)],
  );
}

const open = (t: TestEngine) => t.sql('SELECT `key` FROM stock_adjustments WHERE epoch IS NULL');
const totalOf = async (t: TestEngine, id: number) =>
  (await t.engine.readProduct(id, seconds(2)))?.total;

test('a product whose process died on the way is made sellable', async () => {
  const t = await ownEngine({}, expectBooksBalance);
  await t.another();
  const id = await leaveProduct(t);
  await eventually(async () => expect(await hold(t, { id })).toMatchObject({ status: 'held' }));
  await eventually(async () => {
    const [row] = await t.sql('SELECT rules_applied, rules_version FROM products');
    expect(row).toEqual({ rules_applied: 1, rules_version: 1 });
  });
});

test('rules whose process died on the way reach Redis', async () => {
  const t = await ownEngine({}, expectBooksBalance);
  const { id } = await makeProduct(t);
  await t.sql("UPDATE products SET name = 'Lantern', rules_version = rules_version + 1");
  await eventually(async () => {
    expect(await t.engine.readProduct(id, seconds(2))).toMatchObject({ name: 'Lantern' });
  });
});

test('P4: adjustments that were left open are made once, by whichever process comes first', async () => {
  const t = await ownEngine({ openMs: 50 }, expectBooksBalance);
  await t.another();
  const { id } = await makeProduct(t);
  for (const [key, delta] of Object.entries({ a: 5, b: -3, c: 20 })) {
    await leaveAdjustment(t, id, delta, key);
  }
  await eventually(async () => expect(await open(t)).toEqual([]));
  await drained(t);
  expect(await totalOf(t, id)).toBe(32);
  // Asked for again by the one who never got an answer.
  const again = await t.engine.admin.adjustStock(id, 5, 'a', seconds(5));
  expect(again).toMatchObject({ status: 'adjusted', product: { total: 32 } });
});

test('a reduction that was left open and can no longer be made is dropped', async () => {
  const t = await ownEngine({ openMs: 50 }, expectBooksBalance);
  const { id } = await makeProduct(t);
  await leaveAdjustment(t, id, -11, 'loss');
  await eventually(async () => expect(await open(t)).toEqual([]));
  expect(await totalOf(t, id)).toBe(10);
});

test('P4: an adjustment in the journal whose row is gone gets its row back, with its position', async () => {
  const t = await ownEngine({ config: { roles: ['api'] } }, expectBooksBalance);
  const writer = await t.another({ config: { roles: ['writer'] } });
  const { id } = await makeProduct(t);
  await writer.close();
  const asked = t.engine.admin.adjustStock(id, 7, 'delivery', seconds(5));
  await eventually(async () => {
    expect(await t.redis.hget('hf:{0}:product:1', 'total')).toBe('17');
  });
  // A twin that was refused takes the row away.
  await t.sql('DELETE FROM stock_adjustments');
  await t.another({ config: { roles: ['writer'] } });
  expect(await asked).toMatchObject({ status: 'adjusted' });
  const again = await t.engine.admin.adjustStock(id, 7, 'delivery', seconds(5));
  expect(again).toMatchObject({ status: 'adjusted', product: { total: 17 } });
});

test('what waits for a closed lane does not keep the others waiting', async () => {
  const t = await ownEngine({ openMs: 50, config: { lanes: 2 } }, async () => undefined);
  const stuck = await makeProduct(t, { lane: 0 });
  const free = await makeProduct(t, { lane: 1 });
  // Of a later epoch than MySQL: it is closed until people decide.
  await t.redis.hset(laneKey(0), { state: 'closed', epoch: '2' });
  await leaveAdjustment(t, stuck.id, 5, 'a');
  await leaveAdjustment(t, free.id, 5, 'b');
  const late = await leaveProduct(t, 0);
  const id = await leaveProduct(t, 1);
  await eventually(async () => {
    expect(await hold(t, { id })).toMatchObject({ status: 'held' });
    expect(await totalOf(t, free.id)).toBe(15);
  });
  expect(await open(t)).toEqual([{ key: 'a' }]);
  await t.redis.hset(laneKey(0), 'epoch', '1');
  await eventually(async () => {
    expect(await totalOf(t, stuck.id)).toBe(15);
    expect(await hold(t, { id: late })).toMatchObject({ status: 'held' });
  });
  await expectBooksBalance(t);
});
