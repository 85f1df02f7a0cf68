import { setTimeout as pause } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { compose, type Holdfast } from '../../src/compose.ts';
import { openDatabase } from '../../src/db/client.ts';
import { Unavailable } from '../../src/domain/unavailable.ts';
import { examine } from '../../src/recovery/examine.ts';
import { laneKey, outboxKey } from '../../src/redis/keys.ts';
import { drained, expectBooksBalance } from '../support/books.ts';
import { atOnce, held, hold, ordered, pay, unique } from '../support/buying.ts';
import { makeProduct, ownEngine, seconds, type TestEngine } from '../support/engine.ts';
import { captureLog } from '../support/log.ts';
import { saying } from '../support/undrained.ts';
import { eventually } from '../support/wait.ts';
import { startWay } from '../support/way.ts';

const nothing = async () => undefined;
const CLOSED = 'lane stays closed; buyers are answered 503';

/** Nothing a buyer may ask for is answered. */
async function expectClosed(process: Holdfast, product: { id: number }, id: string) {
  const items = [{ productId: product.id, qty: 1 }];
  const { engine } = process;
  const calls = [
    () => engine.hold({ items, buyer: '', key: '' }, seconds(1)),
    () => engine.order(id, '', seconds(1)),
    () => engine.release(id, seconds(1)),
    () => engine.cancel(id, seconds(1)),
    () => engine.readHold(id, seconds(1)),
    () => pay(process, id),
    () => engine.admin.adjustStock(product.id, 1, unique('key'), seconds(1)),
  ];
  for (const call of calls) await expect(call(), String(call)).rejects.toThrow(Unavailable);
  expect(await process.ready()).toMatchObject({ ok: false, checks: { redis: 'ok', mysql: 'ok' } });
}

async function emptyBoth({ redis, sql }: TestEngine): Promise<void> {
  await redis.flushdb();
  const tables = ['lanes', 'stock', 'products', 'holds', 'hold_items', 'orders'];
  for (const table of tables) await sql(`DELETE FROM ${table}`);
}

test('the lanes of an empty database open with epoch 1 and without an entry', async () => {
  const t = await ownEngine({ config: { lanes: 2, outboxMax: 77 } }, expectBooksBalance);
  for (const lane of [0, 1]) {
    const { run, shop, ...found } = await t.redis.hgetall(laneKey(lane));
    expect(found).toEqual({
      ...{ state: 'open', epoch: '1', cap: '77', tail: 'start', position: '' },
      ...{ emitted: '0', persisted: '0' },
    });
    expect(run).toBe(t.link.run());
    expect(await t.sql('SELECT shop FROM lanes WHERE lane = ?', [lane])).toEqual([{ shop }]);
  }
  const row = { epoch: 1, sequence: -1, call: 'start', emitted: 0, event_at: null };
  expect(await t.sql('SELECT * FROM lanes ORDER BY lane')).toMatchObject([
    { lane: 0, ...row },
    { lane: 1, ...row },
  ]);
});

test('of eight processes that start together on empty stores one opens the lane, all serve', async () => {
  const { log, errors } = captureLog();
  const t = await ownEngine({}, expectBooksBalance);
  for (let round = 0; round < 3; round += 1) {
    await t.close();
    await emptyBoth(t);
    const all = await atOnce(8, () => compose({ ...t, log }));
    onTestFinished(async () => void (await Promise.all(all.map((each) => each.close()))));
    const [row] = await t.sql('SELECT epoch FROM lanes');
    expect(await t.redis.hget(laneKey(0), 'epoch')).toBe(String(row?.epoch));
    const product = await makeProduct(all[round] ?? t);
    const ids = await Promise.all(all.map((each) => ordered(each, product)));
    expect(new Set(ids).size).toBe(8);
    await expectBooksBalance(t);
    await Promise.all(all.map((each) => each.close()));
  }
  expect(errors()).toEqual([]);
  await t.another();
});

test('a restart on the same stores keeps every hold, order and key', async () => {
  const t = await ownEngine({}, expectBooksBalance);
  const product = await makeProduct(t, { maxPerBuyer: 3 });
  const key = unique('key');
  const kept = await held(t, product, { buyer: 'ann', key });
  const id = await ordered(t, product, { buyer: 'ann' });
  const counters = await t.engine.readProduct(product.id, seconds(2));
  const before = await t.redis.hgetall(laneKey(0));
  await t.close();

  const next = await t.another({ config: { outboxMax: 55 } });
  // Not even the epoch is another; a changed OUTBOX_MAX counts from now on.
  const { cap, ...after } = await t.redis.hgetall(laneKey(0));
  expect({ ...after, cap: before.cap }).toEqual({ ...before });
  expect(cap).toBe('55');
  expect(await next.engine.readProduct(product.id, seconds(2))).toEqual(counters);
  expect(await held(next, product, { buyer: 'ann', key })).toEqual(kept);
  expect(await hold(next, product, { buyer: 'ann', qty: 2 })).toMatchObject({ units: 2 });
  expect(await pay(next, id)).toMatchObject({ status: 'applied' });
  expect(await next.engine.order(kept.id, '', seconds(5))).toMatchObject({ status: 'ordered' });
});

test('fewer LANES than have been used are refused, unused ones are not missed', async () => {
  const t = await ownEngine({ config: { lanes: 3 } }, expectBooksBalance);
  await makeProduct(t, { lane: 1 });
  await expect(t.another({ config: { lanes: 1 } })).rejects.toThrow(/set LANES to 2 or more/);
  await t.another({ config: { lanes: 2 } });
});

test('a command that only looks in leaves the OUTBOX_MAX of the running process', async () => {
  const t = await ownEngine({ config: { outboxMax: 55 } }, expectBooksBalance);
  await t.another({ config: { outboxMax: 77, roles: [] } });
  expect(await t.redis.hget(laneKey(0), 'cap')).toBe('55');
});

test('the overview tells of a closed lane, and of the products of the others', async () => {
  const t = await ownEngine({ config: { lanes: 2 } }, nothing);
  await makeProduct(t, { lane: 0 });
  const open = await makeProduct(t, { lane: 1 });
  await t.redis.hset(laneKey(0), 'state', 'closed');
  const { lanes, products } = await t.engine.admin.overview(seconds(2));
  expect(lanes.map(({ state }) => state)).toEqual(['closed', 'open']);
  expect(products.map(({ id }) => id)).toEqual([open.id]);
  await expect(t.engine.listProducts(seconds(2))).rejects.toThrow(Unavailable);
});

test('what a process left in the journal is committed by the next one', async () => {
  const t = await ownEngine({ config: { roles: ['api'] } }, expectBooksBalance);
  const writer = await t.another({ config: { roles: ['writer'] } });
  const product = await makeProduct(t);
  await writer.close();
  await atOnce(5, () => held(t, product));
  await t.close();
  expect(await t.sql('SELECT id FROM holds')).toEqual([]);
  await t.another({ config: { roles: ['api', 'writer'] } });
  await drained(t);
  expect(await t.sql('SELECT id FROM holds')).toHaveLength(5);
});

test('the keeper drains and reopens a lane that an earlier run of Redis left, losing nothing', async () => {
  const { log, lines, errors } = captureLog();
  const t = await ownEngine({ log, config: { roles: ['api'] } }, expectBooksBalance);
  const writer = await t.another({ config: { roles: ['writer'] } });
  const product = await makeProduct(t, { totalStock: 40 });
  await writer.close();
  const before = await held(t, product);
  await t.redis.hset(laneKey(0), 'run', 'of-an-earlier-process');
  await expect(hold(t, product)).rejects.toThrow(/lane 0 is (stale|closed)/);
  await eventually(async () => expect(await hold(t, product)).toMatchObject({ status: 'held' }));
  expect(saying(lines, 'open again, nothing lost')).toHaveLength(1);
  expect(errors()).toEqual([]);
  expect(await t.redis.hget(laneKey(0), 'epoch')).toBe('1');
  expect(await t.sql('SELECT id FROM holds')).toContainEqual({ id: `hold_${before.id}` });
  await t.another({ config: { roles: ['writer'] } });
});

test('two keepers reopen a lane once, while buyers go on asking', async () => {
  const { log, lines } = captureLog();
  const t = await ownEngine({ log }, expectBooksBalance);
  const other = await t.another();
  const product = await makeProduct(t, { totalStock: 500 });
  await t.redis.hset(laneKey(0), 'run', 'of-an-earlier-process');
  let granted = 0;
  await eventually(async () => {
    const answers = await Promise.allSettled([hold(t, product), hold(other, product)]);
    for (const answer of answers) {
      if (answer.status === 'rejected') expect(answer.reason).toBeInstanceOf(Unavailable);
      else granted += 1;
    }
    expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled']);
  });
  const read = await t.engine.readProduct(product.id, seconds(2));
  expect(read).toMatchObject({ held: granted });
  expect(saying(lines, 'lane stays closed')).toEqual([]);
});

test('PROTOCOL 3: a lane at work is never taken for one that lost something', async () => {
  const t = await ownEngine({}, expectBooksBalance);
  const product = await makeProduct(t, { totalStock: 100_000 });
  const way = await startWay(t.mysqlUrl);
  const database = openDatabase(way.url, 1);
  let isOver = false;
  const buyers = atOnce(8, async () => {
    while (!isOver) await ordered(t, product);
  });
  const verdicts = new Set<string>();
  for (let times = 0; times < 20; times += 1) {
    // MySQL must be read first: read second, its watermark is ahead of what Redis had before.
    way.set('stall');
    const examining = examine(t.link, database, 0);
    await pause(50);
    way.set('pass');
    verdicts.add((await examining).verdict);
  }
  isOver = true;
  await buyers;
  await database.close();
  await way.close();
  expect([...verdicts]).toEqual(['fine']);
});

test('P1: a lane that MySQL has lost entries of stays closed, and says so once', async () => {
  const { log, errors } = captureLog();
  const t = await ownEngine({ log, keepMs: 0 }, nothing);
  const product = await makeProduct(t);
  const { id } = await held(t, product);
  await drained(t);
  // As a copy from before the hold, put in the place of MySQL; its entries are trimmed.
  const [row] = await t.sql('SELECT * FROM lanes');
  await t.redis.xtrim(outboxKey(0), 'MAXLEN', 0);
  await t.sql('UPDATE lanes SET sequence = sequence - 1');
  await eventually(() => expect(errors()).toHaveLength(1));
  await expectClosed(t, product, id);
  const next = await t.another();
  expect(errors()).toHaveLength(2);
  await expectClosed(next, product, id);
  for (const error of errors()) {
    expect(error).toMatchObject({ msg: CLOSED, reason: expect.stringContaining('--accept-mysql') });
  }
  // Nothing was erased: with the right MySQL it goes on.
  await t.sql('UPDATE lanes SET sequence = ?', [row?.sequence]);
  await eventually(async () => expect(await hold(t, product)).toMatchObject({ status: 'held' }));
  expect(await t.redis.hget(laneKey(0), 'epoch')).toBe('1');
  await expectBooksBalance(t);
});

test('a running lane closes when MySQL turns out to be another shop’s, until it is back', async () => {
  const { log, errors } = captureLog();
  const t = await ownEngine({ log }, expectBooksBalance);
  const product = await makeProduct(t);
  const { id } = await held(t, product);
  await drained(t);
  await t.sql('RENAME TABLE lanes TO lanes_elsewhere');
  await eventually(() => expect(errors()).toContainEqual(expect.objectContaining({ msg: CLOSED })));
  await expectClosed(t, product, id);
  await t.sql('RENAME TABLE lanes_elsewhere TO lanes');
  await eventually(async () => expect(await hold(t, product)).toMatchObject({ status: 'held' }));
});
