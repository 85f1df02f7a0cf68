import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { RowsDisagree } from '../../src/db/rows.ts';
import { parseJournalEntry } from '../../src/domain/journal.ts';
import { Unavailable } from '../../src/domain/unavailable.ts';
import { laneKey, outboxKey } from '../../src/redis/keys.ts';
import { BrokenJournal, EntryDisagrees } from '../../src/writer/fold.ts';
import { drained, expectBooksBalance } from '../support/books.ts';
import { held, hold } from '../support/buying.ts';
import { makeProduct, ownEngine, seconds, type TestEngine } from '../support/engine.ts';
import { captureLog } from '../support/log.ts';
import { undrainedEngine, writtenRows } from '../support/undrained.ts';
import { eventually } from '../support/wait.ts';

const CLOSED = 'lane stays closed; buyers are answered 503';
const nothing = async () => undefined;

/** Makes three journal entries that MySQL does not have, and returns their ids. */
async function threeEntries(t: TestEngine, product: { id: number }): Promise<string[]> {
  const watermark = (await t.sql('SELECT sequence FROM lanes'))[0]?.sequence;
  for (let count = 0; count < 3; count += 1) await held(t, product);
  const ids = [1, 2, 3].map((step) => `1-${Number(watermark) + step}`);
  expect(await t.redis.hget(laneKey(0), 'position')).toBe(ids[2]);
  return ids;
}

async function expectRefused(
  t: TestEngine,
  message: RegExp,
  kind: typeof BrokenJournal | typeof EntryDisagrees = BrokenJournal,
): Promise<void> {
  const before = await writtenRows(t);
  // Again and again: neither the first try nor what it remembers lets a later one through.
  for (let attempt = 0; attempt < 3; attempt += 1) {
    const error = await t.drain(0).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(kind);
    expect((error as Error).message).toMatch(message);
  }
  expect(await writtenRows(t)).toEqual(before);
}

test('P6: a missing entry stops the drain before anything behind it is written', async () => {
  const { t, product } = await undrainedEngine(nothing);
  const [, second = ''] = await threeEntries(t, product);
  expect(await t.redis.xdel(outboxKey(0), second)).toBe(1);
  await expectRefused(t, /entry 1-\d+ is missing, 1-\d+ comes instead/);
});

test('P6: a gap in the ids stops the drain, though the entry names the right call', async () => {
  const { t, product } = await undrainedEngine(nothing);
  const [, , third = ''] = await threeEntries(t, product);
  const [entry] = await t.redis.xrange(outboxKey(0), third, third);
  const sequence = Number(third.split('-')[1]);
  const { call } = parseJournalEntry(...(entry as [string, string[]]));
  const fields = ['call', 'next', 'prev', call, 'at_ms', '1', 'emitted', '9'];
  await t.redis.xadd(outboxKey(0), `1-${sequence + 2}`, ...fields);
  await expectRefused(t, /is missing/);
});

test('P6: an entry that follows another call than the watermark stops the drain', async () => {
  const { t, product } = await undrainedEngine(nothing);
  await threeEntries(t, product);
  // As after a rollback of Redis that new traffic has overtaken: ids run on, calls do not.
  await t.sql("UPDATE lanes SET `call` = 'another'");
  await expectRefused(t, /follows call \w+, but MySQL has another before it/);
});

test('P6: counters that do not follow from the transitions stop the drain', async () => {
  const { t, product } = await undrainedEngine(nothing);
  const [first = '', , third = ''] = await threeEntries(t, product);
  const entries = await t.redis.xrange(outboxKey(0), first, third);
  const told = `${product.id}:100:97:3:0:0`;
  expect(entries[2]?.[1]).toContain(told);
  await t.redis.del(outboxKey(0));
  for (const [id, fields] of entries) {
    const changed = fields.map((text) => (text === told ? told.replace('97', '98') : text));
    await t.redis.xadd(outboxKey(0), id, ...changed);
  }
  await expectRefused(t, /counters of product \d+ in entry 1-\d+ do not follow/, EntryDisagrees);
});

test('P6: a journal that its rows contradict closes the lane, is told once, and heals with them', async () => {
  const { log, errors } = captureLog();
  const t = await ownEngine({ log }, expectBooksBalance);
  const product = await makeProduct(t);
  const { id } = await held(t, product);
  await drained(t);
  await t.sql('UPDATE stock SET available = available + 1');
  expect(await hold(t, product)).toMatchObject({ status: 'held' });
  await eventually(() => expect(errors().map(({ msg }) => msg)).toContain(CLOSED));
  await expect(hold(t, product)).rejects.toThrow(Unavailable);
  await expect(t.engine.order(id, '', seconds(0.5))).rejects.toThrow(Unavailable);
  expect(await t.ready()).toMatchObject({ ok: false });
  await pause(2_500);
  const told = errors().filter(({ msg }) => msg === CLOSED);
  expect(told).toHaveLength(1);
  expect(told[0]?.reason).toMatch(/available is 10 in MySQL.*--accept-mysql/);
  await t.sql('UPDATE stock SET available = available - 1');
  const order = () => t.engine.order(id, '', seconds(2));
  expect(await eventually(order)).toMatchObject({ status: 'ordered' });
});

test('P1: a journal that does not follow what MySQL has closes its lane', async () => {
  const { t, product } = await undrainedEngine(nothing);
  await held(t, product);
  await t.sql("UPDATE lanes SET `call` = 'another'");
  await expect(t.drain(0)).rejects.toThrow(BrokenJournal);
  // The keeper rebuilds it under the next epoch.
  const [state, epoch] = await t.redis.hmget(laneKey(0), 'state', 'epoch');
  expect(`${state} in epoch ${epoch}`).not.toBe('open in epoch 1');
});

test('P6: a stock row that was edited stops the drain, until it is right again', async () => {
  const { t, product } = await undrainedEngine(expectBooksBalance);
  await t.sql('UPDATE stock SET available = available + 1');
  await threeEntries(t, product);
  const before = await writtenRows(t);
  await expect(t.drain(0)).rejects.toThrow(RowsDisagree);
  await expect(t.drain(0)).rejects.toThrow(/available is 101 in MySQL/);
  expect(await writtenRows(t)).toEqual(before);
  await t.another({ config: { roles: ['writer'] } });
  await t.sql('UPDATE stock SET available = available - 1');
  await eventually(async () => expect(await hold(t, product)).toMatchObject({ status: 'held' }));
});

test('P6: a row that the journal changes and MySQL has not stops the drain', async () => {
  const { t, product } = await undrainedEngine(expectBooksBalance);
  const { id } = await held(t, product);
  await t.drain(0);
  const row = (await t.sql('SELECT * FROM holds'))[0];
  await t.sql('DELETE FROM holds');
  await t.engine.release(id, seconds(2));
  const before = await writtenRows(t);
  await expect(t.drain(0)).rejects.toThrow(/holds: of 1 rows that the journal changes/);
  expect(await writtenRows(t)).toEqual(before);
  await t.mysql.query('INSERT INTO holds SET ?', [row]);
  expect(await t.drain(0)).toBe(1);
});
