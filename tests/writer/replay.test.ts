import { setInterval } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { laneKey, outboxKey } from '../../src/redis/keys.ts';
import { replayDeadLetters } from '../../src/writer/replay.ts';
import { expectBooksBalance } from '../support/books.ts';
import { atOnce, held, pay } from '../support/buying.ts';
import {
  append,
  block,
  blockedPurchase,
  countOf,
  openLetters,
  replayFirst,
  unblock,
} from '../support/dead-letters.ts';
import { makeProduct, ownEngine, seconds, type TestEngine } from '../support/engine.ts';
import { undrainedEngine } from '../support/undrained.ts';
import { eventually } from '../support/wait.ts';

const nothing = async () => undefined;

const historyOf = ({ sql }: TestEngine, id: string) =>
  sql('SELECT version, to_state FROM transitions WHERE reservation = ? ORDER BY version', [id]);

test('a blocked hold is written with its order and its payment once nothing blocks it', async () => {
  const { t, product, id } = await blockedPurchase();
  const letters = await openLetters(t);
  expect(letters).toHaveLength(4);
  expect(await countOf(t)).toBe(4);
  await unblock(t);
  const outcome = await replayFirst(t);
  expect(outcome).toMatchObject({ status: 'replayed', madeAgain: [], isMissingInRedis: false });
  expect(await t.sql('SELECT id, state, version, buyer, idempotency_key FROM holds')).toEqual([
    { id: `hold_${id}`, state: 'ordered', version: 2, buyer: 'ann', idempotency_key: 'once' },
  ]);
  expect(await t.sql('SELECT state, version, reference, idempotency_key FROM orders')).toEqual([
    { state: 'paid', version: 3, reference: 'pay-1', idempotency_key: 'order' },
  ]);
  expect(await t.sql('SELECT outcome, order_state FROM payment_events')).toEqual([
    { outcome: 'applied', order_state: 'paid' },
  ]);
  expect(await historyOf(t, id)).toEqual([
    { version: 1, to_state: 'held' },
    { version: 2, to_state: 'pending' },
    { version: 3, to_state: 'paid' },
  ]);
  expect(await countOf(t)).toBe(0);
  await expectBooksBalance(t);
  // The provider's retry and the buyer's are told what really happened.
  expect(await pay(t, id, 'success', 'pay-1')).toMatchObject({ status: 'duplicate' });
  expect(await t.engine.readProduct(product.id, seconds(2))).toMatchObject({ sold: 2 });
});

test('a replay that still does not fit writes nothing, and says which and why', async () => {
  const { t, id } = await blockedPurchase();
  const before = await t.sql('SELECT * FROM dead_letters');
  expect(await replayFirst(t)).toMatchObject({
    status: 'still_refused',
    letter: { reservation: id, kind: 'reservation' },
    reason: expect.stringContaining('Duplicate entry'),
  });
  // The last of them is at fault this time.
  await unblock(t);
  await t.sql("ALTER TABLE orders ADD CONSTRAINT none CHECK (state <> 'paid')");
  expect(await replayFirst(t)).toMatchObject({
    status: 'still_refused',
    letter: { transition: { event: { to: 'paid' } } },
    reason: expect.stringMatching(/constraint/i),
  });
  expect(await t.sql('SELECT * FROM dead_letters')).toEqual(before);
  expect(await countOf(t)).toBe(4);
  for (const table of ['holds', 'hold_items', 'orders', 'transitions']) {
    expect(await t.sql(`SELECT * FROM ${table}`)).toEqual([]);
  }
  await t.sql('ALTER TABLE orders DROP CONSTRAINT none');
  expect(await replayFirst(t)).toMatchObject({ status: 'replayed' });
  await expectBooksBalance(t);
});

test('replayed again, by several at the same time, it is written once', async () => {
  const { t } = await blockedPurchase();
  await unblock(t);
  const ids = await openLetters(t);
  const unknown = { lane: 0, epoch: 1, sequence: 999, ordinal: 0 };
  const outcomes = await atOnce(8, (at) =>
    replayDeadLetters(t.database, ids[at % ids.length] ?? unknown, true),
  );
  const statuses = outcomes.map(({ status }) => status).sort();
  expect(statuses).toEqual([...Array(7).fill('already_replayed'), 'replayed']);
  expect(await countOf(t)).toBe(0);
  await expectBooksBalance(t);
  expect(await replayDeadLetters(t.database, unknown, true)).toEqual({ status: 'not_found' });
  const nowhere = { ...unknown, lane: 7 };
  expect(await replayDeadLetters(t.database, nowhere, true)).toEqual({ status: 'not_found' });
});

test('holds go on while dead letters are replayed', async () => {
  const t = await ownEngine({}, expectBooksBalance);
  const product = await makeProduct(t, { totalStock: 1_000 });
  // Every fifth of the first fifty is refused.
  await t.sql('ALTER TABLE hold_items ADD CONSTRAINT few CHECK (qty < 5)');
  let isOn = true;
  const buying = (async () => {
    let bought = 0;
    for await (const _ of setInterval(10)) {
      if (!isOn) break;
      await held(t, product, { qty: bought % 5 === 0 && bought < 50 ? 5 : 1 });
      bought += 1;
    }
    return bought;
  })();
  await eventually(async () => expect(await openLetters(t)).toHaveLength(10), 20_000);
  expect(await replayFirst(t)).toMatchObject({ status: 'still_refused' });
  await t.sql('ALTER TABLE hold_items DROP CONSTRAINT few');
  for (const id of await openLetters(t)) {
    const outcome = await replayDeadLetters(t.database, id, true);
    expect(outcome).toMatchObject({ status: 'replayed' });
  }
  isOn = false;
  expect(await buying).toBeGreaterThan(50);
  expect(await t.redis.hget(laneKey(0), 'state')).toBe('open');
  expect(await countOf(t)).toBe(0);
});

test('what could not be read is read again, by the version that replays it', async () => {
  const { t, product } = await undrainedEngine(nothing);
  const { id } = await held(t, product, { qty: 4 });
  const entry = (await t.redis.xrevrange(outboxKey(0), '+', '-', 'COUNT', 1))[0]?.[1] ?? [];
  const value = entry[entry.indexOf('reservation') + 1] ?? '';
  await t.drain(0);
  expect(value).toContain(id);
  // As an older version would have left it: it knew no such step.
  const unreadable = { field: 'reservation', value, why: 'expected 14 fields' };
  await t.sql('DELETE FROM holds');
  await t.sql('DELETE FROM hold_items');
  await t.sql(
    "INSERT INTO dead_letters VALUES (0, 1, 1, 0, 'unreadable', ?, ?, '[]', 'why', UTC_TIMESTAMP(3), NULL)",
    [id, JSON.stringify({ kind: 'unreadable', event: unreadable })],
  );
  await t.sql('UPDATE lanes SET dead_letters = 1');
  await append(t, ['reservation', `${id}\tnone\theld`]);
  await t.drain(0);
  // What follows cannot be read by this one either: nothing of them is written.
  expect(await replayFirst(t)).toMatchObject({
    status: 'still_refused',
    reason: expect.stringContaining('it still cannot be read: expected 15 fields'),
  });
  expect(await t.sql('SELECT id FROM holds')).toEqual([]);
  await t.sql('DELETE FROM dead_letters WHERE sequence > 1');
  expect(await replayFirst(t)).toMatchObject({ status: 'replayed' });
  expect(await t.sql('SELECT id, state FROM holds')).toEqual([{ id: `hold_${id}`, state: 'held' }]);
  expect(await countOf(t)).toBe(0);
  await expectBooksBalance(t);
});

test('a live reservation that a rebuild has left out is told to be missing in Redis', async () => {
  const { t, product } = await undrainedEngine(nothing);
  const { id } = await held(t, product);
  await block(t, id);
  await t.drain(0);
  await t.lanes.rebuild(0, false);
  await unblock(t);
  expect(await replayFirst(t)).toMatchObject({ status: 'replayed', isMissingInRedis: true });
  // Another rebuild would load it, too.
  await t.lanes.rebuild(0, false);
  await expectBooksBalance(t);
});

test('more dead letters than may be open close the lane; it opens once enough are replayed', async () => {
  const { t, product } = await undrainedEngine(nothing);
  const { id } = await held(t, product);
  await block(t, id);
  const rules = JSON.stringify({ kind: 'rules', event: { productId: product.id, version: 1 } });
  const letters = Array.from({ length: 1_000 }, (_, at) => [0, 0, at, 0, 'rules', '', rules, '[]']);
  await t.mysql.query(
    'INSERT INTO dead_letters (lane, epoch, sequence, ordinal, kind, reservation, payload, units,' +
      ' error, at) VALUES ?',
    [letters.map((letter) => [...letter, 'why', '2026-01-01'])],
  );
  await t.sql('UPDATE lanes SET dead_letters = 1000');
  const state = () => t.redis.hget(laneKey(0), 'state');
  expect(await state()).toBe('open');
  await t.drain(0);
  expect(await state()).toBe('closed');
  await expect(held(t, product)).rejects.toThrow();
  expect(await replayFirst(t)).toMatchObject({ status: 'replayed' });
  expect(await countOf(t)).toBe(1_000);
  await eventually(async () => expect(await state()).toBe('open'));
  await held(t, product);
});
