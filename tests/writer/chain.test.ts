import { expect, test } from 'vitest';
import { parseJournalEntry } from '../../src/domain/parse-journal.ts';
import { laneKey, outboxKey } from '../../src/redis/keys.ts';
import { BrokenJournal } from '../../src/writer/fold.ts';
import { held } from '../support/buying.ts';
import type { TestEngine } from '../support/engine.ts';
import { undrainedEngine, writtenRows } from '../support/undrained.ts';

const nothing = async () => undefined;

/** Makes three journal entries that MySQL does not have, and returns their ids. */
async function threeEntries(t: TestEngine, product: { id: number }): Promise<string[]> {
  const watermark = (await t.sql('SELECT sequence FROM lanes'))[0]?.sequence;
  for (let count = 0; count < 3; count += 1) await held(t, product);
  const ids = [1, 2, 3].map((step) => `1-${Number(watermark) + step}`);
  expect(await t.redis.hget(laneKey(0), 'position')).toBe(ids[2]);
  return ids;
}

async function expectRefused(t: TestEngine, message: RegExp): Promise<void> {
  const before = await writtenRows(t);
  // Again and again: neither the first try nor what it remembers lets a later one through.
  for (let attempt = 0; attempt < 3; attempt += 1) {
    const error = await t.drain(0).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(BrokenJournal);
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

test('P1: a journal that does not follow what MySQL has closes its lane', async () => {
  const { t, product } = await undrainedEngine(nothing);
  await held(t, product);
  await t.sql("UPDATE lanes SET `call` = 'another'");
  await expect(t.drain(0)).rejects.toThrow(BrokenJournal);
  // The keeper rebuilds it under the next epoch.
  const [state, epoch] = await t.redis.hmget(laneKey(0), 'state', 'epoch');
  expect(`${state} in epoch ${epoch}`).not.toBe('open in epoch 1');
});
