import { expect, test } from 'vitest';
import { drained, expectBooksBalance } from '../support/books.ts';
import { held } from '../support/buying.ts';
import { replayFirst } from '../support/dead-letters.ts';
import { makeProduct, seconds } from '../support/engine.ts';
import { undrainedEngine } from '../support/undrained.ts';
import { eventually } from '../support/wait.ts';

const nothing = async () => undefined;

test('a hold whose row is gone is made again from what the journal says', async () => {
  const { t, product } = await undrainedEngine(nothing);
  const { id } = await held(t, product, { qty: 3, buyer: 'ann' });
  const kept = await held(t, product);
  await t.drain(0);
  const rowsOf = () => t.sql('SELECT * FROM holds JOIN hold_items ON hold_id = id ORDER BY id');
  const [before] = await rowsOf();
  await t.sql('DELETE holds, hold_items FROM holds JOIN hold_items ON hold_id = id WHERE id = ?', [
    `hold_${id}`,
  ]);
  await t.engine.release(id, seconds(2));
  await t.drain(0);
  expect(await replayFirst(t)).toMatchObject({ status: 'replayed', madeAgain: [`hold_${id}`] });
  const rows = await rowsOf();
  expect(rows).toHaveLength(2);
  const { ended_at: _, created_at: created, ...row } = { ...rows[0] };
  expect({ ...before, state: 'released', version: 2 }).toMatchObject(row);
  expect(Math.abs(created.getTime() - before?.created_at.getTime())).toBeLessThan(1_000);
  expect(rows[1]).toMatchObject({ id: `hold_${kept.id}`, state: 'held' });
  await expectBooksBalance(t);
});

test('so are an order and its hold, at the prices of today', async () => {
  const { t, product } = await undrainedEngine(nothing);
  const writer = await t.another({ config: { roles: ['writer'] } });
  const other = await makeProduct(t, { totalStock: 9, priceMinor: 500 });
  await drained(t);
  await writer.close();
  const items = [
    { productId: product.id, qty: 1 },
    { productId: other.id, qty: 2 },
  ];
  const { id } = await held(t, items);
  await t.drain(0);
  const ordering = t.engine.order(id, '', seconds(5));
  await eventually(async () => expect(await t.drain(0)).toBe(1));
  await ordering;
  for (const table of ['holds', 'hold_items', 'orders']) await t.sql(`DELETE FROM ${table}`);
  const paying = t.engine
    .settle({ id, reference: 'late', payment: 'success' }, seconds(1))
    .catch(() => undefined);
  await eventually(async () => expect(await t.drain(0)).toBeGreaterThan(0));
  await paying;
  expect(await replayFirst(t)).toMatchObject({
    status: 'replayed',
    madeAgain: [`hold_${id}`, `order_${id}`],
  });
  const amounts = { amount_minor: product.priceMinor + 1_000, currency: 'USD' };
  expect(await t.sql('SELECT state, version, amount_minor, currency FROM holds')).toEqual([
    { state: 'ordered', version: 2, ...amounts },
  ]);
  expect(await t.sql('SELECT state, version, amount_minor, currency FROM orders')).toEqual([
    { state: 'paid', version: 3, ...amounts },
  ]);
  expect(await t.sql('SELECT qty, price_minor FROM hold_items ORDER BY product_id')).toEqual([
    { qty: 1, price_minor: product.priceMinor },
    { qty: 2, price_minor: 500 },
  ]);
  await expectBooksBalance(t);
});

test('a rebuild does not give back twice what a lost row has no more', async () => {
  const { t, product } = await undrainedEngine(nothing);
  const [released, paid] = [await held(t, product, { qty: 3 }), await held(t, product)];
  await t.drain(0);
  await t.sql('DELETE FROM holds');
  await t.engine.release(released.id, seconds(2));
  const ordering = t.engine.order(paid.id, '', seconds(1)).catch(() => undefined);
  while ((await t.drain(0)) < 1 || (await t.sql('SELECT * FROM dead_letters')).length < 2);
  await ordering;
  expect(await t.lanes.rebuild(0, false)).toMatchObject({ findings: [] });
  const counters = { total: 100, available: 99, held: 0, pending: 1 };
  expect(await t.engine.readProduct(product.id, seconds(2))).toMatchObject(counters);
  expect(await replayFirst(t)).toMatchObject({ isMissingInRedis: false });
  expect(await replayFirst(t)).toMatchObject({ isMissingInRedis: true });
  expect(await t.lanes.rebuild(0, false)).toMatchObject({ findings: [] });
  await expectBooksBalance(t);
});

test('a rebuild cancels no hold that has gone on in a dead letter', async () => {
  const { t, product } = await undrainedEngine(nothing);
  const [other, { id }] = [await held(t, product), await held(t, product, { qty: 2 })];
  await t.drain(0);
  await t.sql("INSERT INTO orders (id, lane, state, version) VALUES (?, 9, 'expired', 9)", [
    `order_${id}`,
  ]);
  const ordering = t.engine.order(id, '', seconds(1)).catch(() => undefined);
  while ((await t.drain(0)) === 0);
  await ordering;
  await t.sql('UPDATE stock SET total = 2');
  const { findings } = await t.lanes.rebuild(0, false);
  expect(findings.filter(({ kind }) => kind === 'hold_beyond_total')).toEqual([
    { kind: 'hold_beyond_total', holdId: `hold_${other.id}` },
  ]);
  await t.sql('DELETE FROM orders');
  expect(await replayFirst(t)).toMatchObject({ status: 'replayed', isMissingInRedis: true });
  expect(await t.sql('SELECT state FROM orders')).toEqual([{ state: 'pending' }]);
});

test('a row that went another way is not overwritten', async () => {
  const { t, product } = await undrainedEngine(nothing);
  const { id } = await held(t, product);
  await t.drain(0);
  const [row] = await t.sql('SELECT * FROM holds');
  await t.sql('DELETE FROM holds');
  await t.engine.release(id, seconds(2));
  await t.drain(0);
  await t.sql("INSERT INTO holds (id, lane, state, version) VALUES (?, 0, 'expired', 2)", [
    row?.id,
  ]);
  expect(await replayFirst(t)).toMatchObject({
    status: 'still_refused',
    reason: `hold_${id} is expired at version 2; this step makes version 2, from held to released`,
  });
});
