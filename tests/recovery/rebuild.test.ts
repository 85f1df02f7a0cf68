import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Unavailable } from '../../src/domain/unavailable.ts';
import { laneKey, outboxKey, productKey, reservationKey } from '../../src/redis/keys.ts';
import { drained, expectBooksBalance } from '../support/books.ts';
import { atOnce, held, hold, ordered, pay, unique } from '../support/buying.ts';
import { makeProduct, ownEngine, seconds, type TestEngine } from '../support/engine.ts';
import { captureLog } from '../support/log.ts';
import { saying } from '../support/undrained.ts';
import { eventually } from '../support/wait.ts';

/** What Redis has of the lane, without its journal and without times to live. */
async function stateOf({ redis }: TestEngine): Promise<Map<string, unknown>> {
  const state = new Map<string, unknown>();
  for (const key of await redis.keys('hf:*')) {
    if (key === laneKey(0) || key === outboxKey(0)) continue;
    const type = await redis.type(key);
    if (type === 'hash') state.set(key, { ...(await redis.hgetall(key)) });
    else if (type === 'zset') state.set(key, await redis.zrange(key, 0, '-1', 'WITHSCORES'));
    else state.set(key, await redis.get(key));
  }
  return state;
}

const reopened = (t: TestEngine, epoch: number) =>
  eventually(async () => {
    const [state, found] = await t.redis.hmget(laneKey(0), 'state', 'epoch');
    expect([state, found]).toEqual(['open', String(epoch)]);
    expect(await t.ready()).toMatchObject({ ok: true });
  });

/** A sale with a reservation in every state. */
async function soldSome(t: TestEngine) {
  const product = await makeProduct(t, { totalStock: 50, maxPerBuyer: 9 });
  const other = await makeProduct(t, { totalStock: 50 });
  const both = [
    { productId: product.id, qty: 2 },
    { productId: other.id, qty: 3 },
  ];
  const kept = await held(t, both, { buyer: 'ann', key: 'kept' });
  const pending = await ordered(t, product, { buyer: 'ann', key: 'ordered' });
  const paid = await ordered(t, other);
  await pay(t, paid);
  const released = await held(t, product, { buyer: 'bob' });
  await t.engine.release(released.id, seconds(2));
  const cancelled = await ordered(t, product, { buyer: 'bob' });
  await pay(t, cancelled, 'failed');
  await t.engine.admin.adjustStock(other.id, 7, unique('restock'), seconds(2));
  await t.engine.admin.change(product.id, { name: 'Lamp II', maxPerHold: 4 }, seconds(2));
  await drained(t);
  return { product, other, both, kept, pending, paid, released, cancelled };
}

test('I7: Redis rebuilt from MySQL equals Redis', async () => {
  const { log, lines, errors } = captureLog();
  const t = await ownEngine({ log }, expectBooksBalance);
  const { released, cancelled, paid } = await soldSome(t);
  // Ended ones are told by MySQL.
  for (const id of [released.id, cancelled, paid]) await t.redis.del(reservationKey(0, id));
  const before = await stateOf(t);
  await t.redis.flushdb();
  await reopened(t, 2);
  expect(await stateOf(t)).toEqual(before);
  expect(saying(lines, 'lane rebuilt from MySQL')).toHaveLength(1);
  expect(errors()).toEqual([]);
  const [row] = await t.sql('SELECT * FROM rebuilds WHERE epoch = 2');
  expect(row).toMatchObject({
    lane: 0,
    holds: 1,
    orders: 1,
    reason: 'Redis does not have the lane',
  });
});

test('P2, P4: what was acknowledged before the loss can be used after it', async () => {
  const t = await ownEngine({}, expectBooksBalance);
  const { product, both, kept, pending, paid, released } = await soldSome(t);
  await t.redis.flushdb();
  await reopened(t, 2);
  expect(await held(t, both, { buyer: 'ann', key: 'kept' })).toEqual(kept);
  expect(await t.engine.readHold(released.id, seconds(2))).toMatchObject({ state: 'released' });
  expect(await t.engine.order(kept.id, 'k', seconds(5))).toMatchObject({ status: 'ordered' });
  expect(await pay(t, pending)).toMatchObject({ status: 'applied', orderState: 'paid' });
  expect(await pay(t, paid)).toMatchObject({ status: 'refund_due' });
  // ann: 2 ordered, 1 paid; at most 9.
  expect(await hold(t, product, { buyer: 'ann', qty: 4 })).toMatchObject({ status: 'held' });
  expect(await hold(t, product, { buyer: 'ann', qty: 3 })).toMatchObject({ units: 7 });
});

test('P3: what ran out while Redis was gone gives its units back', async () => {
  const t = await ownEngine({}, expectBooksBalance);
  const product = await makeProduct(t, { holdTtlMs: 300, payTtlMs: 300 });
  const { id } = await held(t, product, { qty: 4 });
  const order = await ordered(t, product, { qty: 5 });
  await drained(t);
  await t.redis.flushdb();
  await reopened(t, 2);
  await eventually(async () =>
    expect(await t.engine.readProduct(product.id, seconds(2))).toMatchObject({ available: 10 }),
  );
  expect(await t.engine.readHold(id, seconds(2))).toMatchObject({ state: 'expired' });
  await drained(t);
  expect(await t.engine.readOrder(order, seconds(2))).toMatchObject({ state: 'expired' });
});

/** Everything in Redis as it is now, to be put back later. */
async function snapshot({ redis }: TestEngine): Promise<() => Promise<void>> {
  const keys = await redis.keys('hf:*');
  const dumps = await Promise.all(keys.map((key) => redis.dumpBuffer(key)));
  return async () => {
    const restore = redis.multi().flushdb();
    for (const [index, key] of keys.entries()) restore.restore(key, 0, dumps[index] as Buffer);
    await restore.exec();
  };
}

test('PROTOCOL 1: an old snapshot that new traffic has overtaken is noticed, closed and rebuilt', async () => {
  const { log, lines } = captureLog();
  const t = await ownEngine({ log, config: { roles: ['api'] } }, expectBooksBalance);
  const writer = await t.another({ config: { roles: ['writer'] } });
  const product = await makeProduct(t, { totalStock: 100 });
  await held(t, product);
  await drained(t);
  const putBack = await snapshot(t);
  const kept = await atOnce(10, () => ordered(t, product));
  await drained(t);
  await writer.close();
  await putBack();
  // The same server, the lane says open, and the new entries pass the old position.
  const [position] = await t.redis.hmget(laneKey(0), 'position');
  while (true) {
    await hold(t, product).catch(() => undefined);
    const [now, state] = await t.redis.hmget(laneKey(0), 'position', 'state');
    if (state !== 'open' || Number(now?.split('-')[1]) > Number(position?.split('-')[1]) + 25)
      break;
  }
  const next = await t.another({ log, config: { roles: ['writer'] } });
  await eventually(() => expect(saying(lines, 'lane rebuilt')).not.toEqual([]));
  await reopened(t, 2);
  for (const id of kept) expect(await pay(t, id)).toMatchObject({ status: 'applied' });
  expect(await next.ready()).toMatchObject({ ok: true });
});

test('a snapshot from before the last rebuild is rebuilt, too', async () => {
  const t = await ownEngine({}, expectBooksBalance);
  const product = await makeProduct(t);
  await drained(t);
  const putBack = await snapshot(t);
  await t.redis.flushdb();
  await reopened(t, 2);
  const id = await ordered(t, product);
  await putBack();
  await reopened(t, 3);
  expect(await pay(t, id)).toMatchObject({ status: 'applied' });
});

test('PROTOCOL 13: a reduction that was lost with Redis is made again', async () => {
  const t = await ownEngine(
    { openMs: 100, config: { roles: ['api', 'reconciler'] } },
    expectBooksBalance,
  );
  const writer = await t.another({ config: { roles: ['writer'] } });
  const product = await makeProduct(t, { totalStock: 100 });
  await drained(t);
  await writer.close();
  const key = unique('reduction');
  const asked = t.engine.admin.adjustStock(product.id, -90, key, seconds(0.5));
  await expect(asked).rejects.toThrow(Unavailable);
  expect(await t.redis.hget(productKey(0, product.id), 'total')).toBe('10');
  await t.redis.flushdb();
  await reopened(t, 2);
  await t.another({ config: { roles: ['writer'] } });
  const again = await t.engine.admin.adjustStock(product.id, -90, key, seconds(5));
  expect(again).toMatchObject({ status: 'adjusted', product: { total: 10, available: 10 } });
  await eventually(async () => {
    const rows = await t.sql('SELECT epoch FROM stock_adjustments');
    expect(rows).toEqual([{ epoch: 2 }]);
  });
});

test('PROTOCOL 12: of two rebuilds at once, each leaves alone what the other has built', async () => {
  const t = await ownEngine({}, expectBooksBalance);
  const { product, pending } = await soldSome(t);
  const rebuilds = [t.lanes.rebuild(0, false), t.lanes.rebuild(0, false)];
  const results = await Promise.allSettled(rebuilds);
  expect(results.some(({ status }) => status === 'fulfilled')).toBe(true);
  await eventually(async () => expect(await hold(t, product, { buyer: 'eve' })).toBeDefined());
  expect(await pay(t, pending)).toMatchObject({ status: 'applied' });
});

test('I2: rows that take more than the total lose their newest holds, never an order', async () => {
  const { log, errors } = captureLog();
  const t = await ownEngine({ log }, async () => undefined);
  const product = await makeProduct(t, { totalStock: 10 });
  const order = await ordered(t, product, { qty: 4 });
  const first = await held(t, product, { qty: 3 });
  await pause(5);
  const second = await held(t, product, { qty: 3 });
  await drained(t);
  // As if a reduction had been lost; nothing but damage makes rows like these.
  await t.sql('UPDATE stock SET total = 8');
  await t.redis.flushdb();
  await reopened(t, 2);
  expect(await t.engine.readProduct(product.id, seconds(2))).toMatchObject({
    ...{ total: 8, available: 1, held: 3, pending: 4 },
  });
  expect(await t.engine.readHold(second.id, seconds(2))).toMatchObject({ state: 'expired' });
  expect(await t.engine.readHold(first.id, seconds(2))).toMatchObject({ state: 'held' });
  expect(await pay(t, order)).toMatchObject({ status: 'applied' });
  const told = errors().map(({ kind }) => kind);
  expect(told).toEqual(['hold_beyond_total', 'counters_disagree']);
  const [row] = await t.sql('SELECT findings FROM rebuilds WHERE epoch = 2');
  expect(JSON.stringify(row?.findings)).toContain(second.id);
});

test('I2: orders that alone take more than the total keep the lane closed', async () => {
  const { log, errors } = captureLog();
  const t = await ownEngine({ log }, async () => undefined);
  const product = await makeProduct(t, { totalStock: 10 });
  await ordered(t, product, { qty: 4 });
  await drained(t);
  await t.sql('UPDATE stock SET total = 3');
  await t.redis.flushdb();
  await eventually(() => expect(errors()).not.toEqual([]));
  expect(errors()[0]).toMatchObject({ reason: expect.stringContaining('orders for 1 units more') });
  await expect(hold(t, product)).rejects.toThrow(Unavailable);
  await t.sql('UPDATE stock SET total = 10');
  await reopened(t, 2);
});
