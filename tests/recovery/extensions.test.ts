import { expect, test } from 'vitest';
import { formatDueMember, parseRecord } from '../../src/domain/reservation.ts';
import { dueKey, laneKey, productKey, reservationKey } from '../../src/redis/keys.ts';
import { drained, expectBooksBalance } from '../support/books.ts';
import { held } from '../support/buying.ts';
import { block, replayFirst, unblock } from '../support/dead-letters.ts';
import { makeProduct, ownEngine, seconds, type TestEngine } from '../support/engine.ts';
import { undrainedEngine } from '../support/undrained.ts';
import { eventually } from '../support/wait.ts';

// Extended holds, whatever happens to the stores.

const EXTEND_MS = 60_000;
const nothing = async () => undefined;

const recordOf = async ({ redis }: TestEngine, id: string) =>
  parseRecord((await redis.get(reservationKey(0, id))) ?? '');
const rowsOf = ({ sql }: TestEngine) =>
  sql('SELECT state, version, expires_at FROM holds WHERE lane = 0 ORDER BY id');

/** A hold that was extended, and when it expires now. */
async function extended(t: TestEngine, product: { id: number }, isDrained = async () => undefined) {
  const { id } = await held(t, product, { qty: 2, buyer: 'ann' });
  await isDrained();
  const outcome = await t.engine.extend(id, seconds(5));
  if (outcome.status !== 'extended') throw new Error(outcome.status);
  return { id, expiresAtMs: outcome.hold.expiresAtMs };
}

test('a rebuild keeps the new deadline, the rule, and that it was extended', async () => {
  const t = await ownEngine({}, expectBooksBalance);
  const product = await makeProduct(t, { extendMs: EXTEND_MS, maxPerBuyer: 3 });
  const { id, expiresAtMs } = await extended(t, product);
  const fresh = await held(t, product, { buyer: 'ann' });
  await drained(t);
  const before = await recordOf(t, id);
  const rules = await t.redis.hgetall(productKey(0, product.id));
  await t.redis.flushdb();
  await eventually(async () => {
    expect(await t.redis.hmget(laneKey(0), 'state', 'epoch')).toEqual(['open', '2']);
    expect((await t.ready()).ok).toBe(true);
  });
  expect(await recordOf(t, id)).toEqual(before);
  expect(before).toMatchObject({ version: 2, deadlineMs: expiresAtMs });
  expect(await t.redis.hgetall(productKey(0, product.id))).toEqual(rules);
  expect(rules.extend_ms).toBe(String(EXTEND_MS));
  const again = await t.engine.extend(id, seconds(5));
  expect(again).toMatchObject({ status: 'extended', hold: { expiresAtMs } });
  expect(await t.engine.extend(fresh.id, seconds(5))).toMatchObject({
    ...{ status: 'extended', hold: { expiresAtMs: fresh.expiresAtMs + EXTEND_MS } },
  });
  await drained(t);
  const how = { productId: null, fixes: false, cause: 'command', isPaced: false } as const;
  expect((await t.reconcile(how)).findings).toEqual([]);
});

test.for(['in one batch', 'in two'])('a hold and its extension, %s', async (how) => {
  const { t, product } = await undrainedEngine(expectBooksBalance);
  const writer = await t.another({ config: { roles: ['writer'] } });
  await t.engine.admin.change(product.id, { extendMs: EXTEND_MS }, seconds(5));
  await drained(t);
  await writer.close();
  const between = async () => {
    if (how === 'in two') await t.drain(0);
    return undefined;
  };
  const kept = await extended(t, product, between);
  const released = await extended(t, product, between);
  await t.engine.release(released.id, seconds(2));
  const { id, expiresAtMs } = await extended(t, product, between);
  const ordering = t.engine.order(id, '', seconds(5));
  await eventually(async () => expect(await t.redis.get(reservationKey(0, id))).toMatch(/^pend/));
  while ((await t.drain(0)) > 0);
  await ordering;
  expect(await rowsOf(t)).toEqual([
    { state: 'held', version: 2, expires_at: new Date(kept.expiresAtMs) },
    { state: 'released', version: 3, expires_at: new Date(released.expiresAtMs) },
    { state: 'ordered', version: 3, expires_at: new Date(expiresAtMs) },
  ]);
});

/** Nobody drains but the test, and holds can be extended. */
async function undrained() {
  const { t, product } = await undrainedEngine(nothing);
  const writer = await t.another({ config: { roles: ['writer'] } });
  await t.engine.admin.change(product.id, { extendMs: EXTEND_MS }, seconds(5));
  await drained(t);
  await writer.close();
  return { t, product };
}

test('a hold whose row is gone is made again by its extension, and by what follows it', async () => {
  const { t, product } = await undrained();
  const lose = async () => {
    await t.drain(0);
    await t.sql('DELETE FROM holds');
    return undefined;
  };
  const { id, expiresAtMs } = await extended(t, product, lose);
  await t.drain(0);
  expect(await replayFirst(t)).toMatchObject({ status: 'replayed', madeAgain: [`hold_${id}`] });
  const row = { state: 'held', version: 2, expires_at: new Date(expiresAtMs) };
  expect(await rowsOf(t)).toEqual([row]);
  await expectBooksBalance(t);
  await t.sql('DELETE FROM holds');
  const ordering = t.engine.order(id, '', seconds(1)).catch(() => undefined);
  while ((await t.drain(0)) === 0);
  await ordering;
  expect(await replayFirst(t)).toMatchObject({ status: 'replayed', madeAgain: [`hold_${id}`] });
  const [ordered] = await rowsOf(t);
  expect(ordered).toMatchObject({ state: 'ordered', version: 3 });
  expect(Math.abs(ordered?.expires_at.getTime() - expiresAtMs)).toBeLessThan(1_000);
  await expectBooksBalance(t);
});

test.for([
  ['and replayed', false],
  ['a rebuild comes in between', true],
] as const)('an extension waits behind its hold, %s', async ([, rebuilds]) => {
  const { t, product } = await undrained();
  const { id } = await held(t, product);
  await block(t, id);
  await t.drain(0);
  const outcome = await t.engine.extend(id, seconds(5));
  if (outcome.status !== 'extended') throw new Error(outcome.status);
  await t.drain(0);
  await unblock(t);
  if (rebuilds) await t.lanes.rebuild(0, false);
  const replayed = await replayFirst(t);
  expect(replayed).toMatchObject({ status: 'replayed', isMissingInRedis: rebuilds });
  expect(await rowsOf(t)).toEqual([
    { state: 'held', version: 2, expires_at: new Date(outcome.hold.expiresAtMs) },
  ]);
  if (rebuilds) await t.lanes.rebuild(0, false);
  await expectBooksBalance(t);
  expect(await recordOf(t, id)).toMatchObject({ version: 2 });
});

test('a row that was set back to before its extension gets its deadline again', async () => {
  const roles = ['api', 'writer', 'expiry'] as const;
  const t = await ownEngine({ config: { roles } }, expectBooksBalance);
  const product = await makeProduct(t, { extendMs: EXTEND_MS });
  const { id, expiresAtMs } = await extended(t, product);
  await drained(t);
  const before = await recordOf(t, id);
  await t.sql('UPDATE holds SET version = 1, expires_at = expires_at - INTERVAL 60 SECOND');
  const how = { productId: null, fixes: true, cause: 'command', isPaced: false } as const;
  expect((await t.reconcile(how)).findings).toMatchObject([{ kind: 'row_edited' }]);
  expect(await rowsOf(t)).toEqual([
    { state: 'held', version: 2, expires_at: new Date(expiresAtMs) },
  ]);
  expect(await recordOf(t, id)).toEqual(before);
  const member = formatDueMember(id, before);
  expect(await t.redis.zscore(dueKey(0), member)).toBe(String(expiresAtMs));
  expect((await t.reconcile(how)).findings).toEqual([]);
});
