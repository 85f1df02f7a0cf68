import { expect, test } from 'vitest';
import { applyChanges } from '../../src/db/apply.ts';
import { readWatermark } from '../../src/db/watermarks.ts';
import { newReservationId } from '../../src/domain/ids.ts';
import { transitionCount } from '../../src/domain/journal.ts';
import { holdScript } from '../../src/redis/bindings/hold.ts';
import { laneKey, outboxKey } from '../../src/redis/keys.ts';
import { foldEntries } from '../../src/writer/fold.ts';
import { readBatch } from '../../src/writer/read-batch.ts';
import { drained, expectBooksBalance } from '../support/books.ts';
import { atOnce, held, hold, ordered, pay, tally } from '../support/buying.ts';
import { makeProduct, ownEngine, seconds } from '../support/engine.ts';
import { undrainedEngine, writtenRows } from '../support/undrained.ts';
import { eventually } from '../support/wait.ts';

test('P6: two processes that drain at once, without pause, apply each transition once', async () => {
  const t = await ownEngine({ keepMs: 0 }, expectBooksBalance);
  const other = await t.another();
  const product = await makeProduct(t, { totalStock: 1_000 });
  let buying = true;
  const drainOn = async (process: typeof other) => {
    let transitions = 0;
    while (buying) transitions += await process.drain(0);
    return transitions;
  };
  const draining = [drainOn(t), drainOn(other)];
  await atOnce(60, async (index) => {
    const buyer = index % 2 === 0 ? t : other;
    const id = await ordered(buyer, product, { qty: 1 + (index % 3) });
    if (index % 3 === 0) expect(await pay(buyer, id)).toMatchObject({ status: 'applied' });
    if (index % 3 === 1) await buyer.engine.cancel(id, seconds(5));
  });
  await drained(t);
  buying = false;
  await Promise.all(draining);
  const rows = await t.sql('SELECT state, COUNT(*) AS orders FROM orders GROUP BY state');
  expect(rows).toEqual(
    expect.arrayContaining([
      { state: 'cancelled', orders: 20 },
      { state: 'paid', orders: 20 },
      { state: 'pending', orders: 20 },
    ]),
  );
});

test('P6: two drains at once share the work, and none of it is done twice', async () => {
  const { t, product } = await undrainedEngine(expectBooksBalance);
  const other = await t.another({ config: { roles: ['api'] } });
  for (let round = 0; round < 10; round += 1) {
    for (let count = 0; count < 5; count += 1) await held(t, product);
    const counts = await Promise.all([t.drain(0), other.drain(0)]);
    expect(counts[0] + counts[1]).toBe(5);
  }
});

test('a gap that another writer made by committing and trimming is no broken journal', async () => {
  const { t, product } = await undrainedEngine(expectBooksBalance, { keepMs: 0 });
  const other = await t.another({ config: { roles: ['api'] } });
  await held(t, product);
  expect(await t.drain(0)).toBe(1);
  await held(t, product);
  expect(await other.drain(0)).toBe(1);
  expect(await t.redis.xlen(outboxKey(0))).toBe(0);
  // What comes next for this process, as far as it remembers, is gone.
  await held(t, product);
  expect(await t.drain(0)).toBe(1);
});

test('P6: what was committed before a crash is not applied again', async () => {
  const { t, product } = await undrainedEngine(expectBooksBalance);
  await atOnce(20, () => held(t, product));
  const from = await readWatermark(t.database, 0);
  if (!from) throw new Error('no watermark');
  const { entries } = await readBatch(t.redis, 0, from);
  const last = entries.at(-1);
  if (!last) throw new Error('no entries');
  const fold = () => foldEntries(0, entries);
  const { epoch, sequence, call, emitted, atMs } = last;
  const to = { epoch, sequence, call, emitted, eventAtMs: atMs };
  const run = { lane: 0, from, to, fold };
  const apply = async () => (await applyChanges(t.database, run, t.config)).status;
  // The same commit by eight writers; then the process "dies" before it trims and publishes.
  const results = await atOnce(8, apply);
  expect(results.sort()).toEqual(['committed', ...Array(7).fill('moved')]);
  const rows = await writtenRows(t);
  expect(await apply()).toBe('moved');
  expect(await t.drain(0)).toBe(0);
  expect(await writtenRows(t)).toEqual(rows);
  expect(await t.redis.hget(laneKey(0), 'persisted')).toBe(String(emitted));
  await held(t, product);
  expect(await t.drain(0)).toBe(1);
});

test('a journal longer than one transaction is drained to its end, in order', async () => {
  const { t } = await undrainedEngine(expectBooksBalance);
  const making = makeProduct(t, { totalStock: 3_000 });
  const product = await drainWhile(t.drain, making);
  expect(tally(await atOnce(2_500, () => hold(t, product)))).toEqual({ held: 2_500 });
  expect(await t.drain(0)).toBe(2_500);
});

async function drainWhile<T>(drain: (lane: number) => Promise<number>, work: Promise<T>) {
  let isDone = false;
  const done = () => {
    isDone = true;
  };
  work.then(done, done);
  while (!isDone) await drain(0);
  return work;
}

test('the timer drains what nobody rang for', async () => {
  const t = await ownEngine({}, expectBooksBalance);
  const product = await makeProduct(t);
  const id = newReservationId(0);
  const items = [{ productId: product.id, qty: 2 }];
  const lateMs = t.engine.nowMs() + 5_000;
  const request = { id, lateMs, items, buyer: '', key: '', fingerprint: '' };
  const command = { ...t.link.gate(0), idempotencyTtlMs: 1_000, requests: [request] };
  expect(await holdScript.run(t.link.redis, laneKey(0), command)).toMatchObject({
    replies: [{ status: 'held' }],
  });
  await drained(t);
  expect(await t.sql('SELECT state FROM holds WHERE id = ?', [`hold_${id}`])).toEqual([
    { state: 'held' },
  ]);
});

test('when the queue loses all its keys, nothing is lost, and later orders are made', async () => {
  // Where the writer is near, nobody who waits rings for it.
  const t = await ownEngine({ config: { roles: ['api'] } }, expectBooksBalance);
  await t.another({ config: { roles: ['writer', 'expiry'] } });
  const product = await makeProduct(t, { totalStock: 50 });
  for (let round = 0; round < 3; round += 1) {
    const buying = atOnce(10, () => ordered(t, product));
    const keys = await t.redis.keys('{hf}:bull*');
    expect(keys.length).toBeGreaterThan(0);
    await t.redis.del(keys);
    await buying;
  }
  const rows = await t.sql('SELECT COUNT(*) AS orders FROM orders');
  expect(rows).toEqual([{ orders: 30 }]);
});

test('the backlog falls at once, and the outbox is trimmed after its time', async () => {
  const kept = await ownEngine({ keepMs: 3_600_000 }, expectBooksBalance);
  const product = await makeProduct(kept);
  for (let count = 0; count < 5; count += 1) await held(kept, product);
  await drained(kept);
  await eventually(async () => {
    const { lanes } = await kept.engine.admin.overview(seconds(2));
    expect(lanes[0]).toMatchObject({ backlog: 0, outboxLength: 6 });
  });
});

test('the outbox of a lane that rests is trimmed to nothing', async () => {
  // The sweeper may give Redis a product that is just being made, too: one entry more.
  const config = { roles: ['api', 'writer', 'expiry'] as const };
  const t = await ownEngine({ config, keepMs: 100 }, expectBooksBalance);
  const product = await makeProduct(t);
  await atOnce(10, () => held(t, product));
  await eventually(async () => expect(await t.redis.xlen(outboxKey(0))).toBe(0));
  // The ids go on where they were.
  const before = await t.redis.hget(laneKey(0), 'position');
  await ordered(t, await makeProduct(t));
  const after = await t.redis.hget(laneKey(0), 'position');
  expect(Number(after?.split('-')[1])).toBe(Number(before?.split('-')[1]) + 3);
});

test('entries count their transitions', async () => {
  const { t, product } = await undrainedEngine(expectBooksBalance);
  await atOnce(128, () => hold(t, product));
  const from = await readWatermark(t.database, 0);
  if (!from) throw new Error('no watermark');
  const { entries } = await readBatch(t.redis, 0, from);
  const transitions = entries.reduce((sum, entry) => sum + transitionCount(entry), 0);
  expect(entries.at(-1)?.emitted).toBe(from.emitted + transitions);
  expect(await t.drain(0)).toBe(transitions);
});
