import { expect, test } from 'vitest';
import { Unavailable } from '../../src/domain/unavailable.ts';
import { laneKey, productKey } from '../../src/redis/keys.ts';
import { drained } from '../support/books.ts';
import { held, hold, pay } from '../support/buying.ts';
import { makeProduct, ownEngine, seconds } from '../support/engine.ts';
import { captureLog } from '../support/log.ts';
import { undrainedEngine } from '../support/undrained.ts';
import { eventually } from '../support/wait.ts';

const CLOSED = 'lane stays closed; buyers are answered 503';
const DRIFT = 'drift: Redis has other counters than its journal leads to';
const nothing = async () => undefined;
const COUNTERS = 'total, available, held, pending, sold';

test('P6: counters that were changed in Redis are found, and the fold is not misled', async () => {
  const { t, product } = await undrainedEngine(nothing);
  await held(t, product);
  await t.redis.hincrby(productKey(0, product.id), 'available', 5);
  await held(t, product);
  await held(t, product);
  expect(await t.drain(0)).toBe(3);
  expect(await t.sql(`SELECT ${COUNTERS} FROM stock`)).toEqual([
    { total: 100, available: 97, held: 3, pending: 0, sold: 0 },
  ]);
  const position = await t.redis.hget(laneKey(0), 'position');
  const last = Number(position?.split('-')[1]);
  const [drift] = await t.sql('SELECT * FROM drifts');
  expect(drift).toMatchObject({
    ...{ lane: 0, epoch: 1, sequence: last - 1, product_id: product.id, resolved_at: null },
  });
  const counters = (value: unknown) => (typeof value === 'string' ? JSON.parse(value) : value);
  expect(counters(drift?.expected)).toMatchObject({ available: 98, held: 2 });
  expect(counters(drift?.found)).toMatchObject({ available: 103, held: 2 });
  expect(await t.redis.hget(laneKey(0), 'state')).toBe('closed');
});

test('P6: drift closes the lane and is told once, with the position', async () => {
  const { log, errors } = captureLog();
  const t = await ownEngine({ log }, nothing);
  const product = await makeProduct(t);
  const { id } = await held(t, product);
  await drained(t);
  await t.sql('UPDATE stock SET available = available + 1');
  expect(await hold(t, product)).toMatchObject({ status: 'held' });
  await eventually(() => expect(errors().map(({ msg }) => msg)).toContain(CLOSED));
  await expect(hold(t, product)).rejects.toThrow(Unavailable);
  await expect(t.engine.order(id, '', seconds(0.5))).rejects.toThrow(Unavailable);
  const told = errors().filter(({ msg }) => msg === DRIFT);
  expect(told).toHaveLength(1);
  expect(told[0]).toMatchObject({
    product: product.id,
    position: expect.stringMatching(/^1-\d+$/),
  });
  const [closed] = errors().filter(({ msg }) => msg === CLOSED);
  expect(closed?.reason).toMatch(/other counters than MySQL for 1 product.*reconcile --fix/);
});

test('P6: where only an alarm is wanted, the sale goes on, and the drift is told once', async () => {
  const { log, errors } = captureLog();
  const t = await ownEngine({ log, config: { closesOnDrift: false } }, nothing);
  const product = await makeProduct(t, { totalStock: 100 });
  await drained(t);
  await t.redis.hincrby(productKey(0, product.id), 'held', 1);
  for (let count = 0; count < 5; count += 1) {
    await held(t, product);
    await drained(t);
  }
  expect(errors().map(({ msg }) => msg)).toEqual([DRIFT]);
  expect(await t.sql(`SELECT ${COUNTERS} FROM stock`)).toEqual([
    { total: 100, available: 95, held: 5, pending: 0, sold: 0 },
  ]);
  await t.redis.hincrby(productKey(0, product.id), 'held', -1);
  await held(t, product);
  await drained(t);
  expect(await t.sql('SELECT drifts, suspect FROM lanes')).toEqual([{ drifts: 0, suspect: 0 }]);
  expect(await t.sql('SELECT * FROM drifts WHERE resolved_at IS NULL')).toEqual([]);
});

test('drift of Redis ends with a rebuild', async () => {
  const t = await ownEngine({}, nothing);
  const product = await makeProduct(t, { totalStock: 100 });
  await held(t, product);
  await drained(t);
  await t.redis.hincrby(productKey(0, product.id), 'available', 5);
  await hold(t, product);
  await eventually(async () => expect(await t.redis.hget(laneKey(0), 'state')).toBe('closed'));
  expect(await t.lanes.rebuild(0, false)).toMatchObject({ findings: [], holds: 2 });
  expect(await t.engine.readProduct(product.id, seconds(2))).toMatchObject({
    available: 98,
    held: 2,
  });
  const order = await t.engine.order((await held(t, product)).id, '', seconds(3));
  if (order.status !== 'ordered') throw new Error(order.status);
  expect(await pay(t, order.order.id)).toMatchObject({ status: 'applied' });
});
