import { expect, test } from 'vitest';
import { newReservationId } from '../../src/domain/ids.ts';
import { Unavailable } from '../../src/domain/unavailable.ts';
import { laneKey, outboxKey } from '../../src/redis/keys.ts';
import { atOnce, held, hold, ordered } from '../support/buying.ts';
import { seconds, type TestEngine } from '../support/engine.ts';
import { captureLog } from '../support/log.ts';
import { undrainedEngine } from '../support/undrained.ts';

const nothing = async () => undefined;
const stockOf = async ({ sql }: TestEngine) =>
  (await sql('SELECT total, available, held, pending, sold FROM stock'))[0];

/** A row that no other may take the place of: an insert of this hold will be refused. */
const block = ({ sql }: TestEngine, id: string) =>
  sql("INSERT INTO holds (id, lane, state, version) VALUES (?, 9, 'expired', 9)", [`hold_${id}`]);

test('a transition that no row takes waits alone: the others are written, the counters right', async () => {
  const { log, errors } = captureLog();
  const { t, product } = await undrainedEngine(nothing, { log });
  const holds = await atOnce(20, () => held(t, product));
  const poison = holds[7];
  if (!poison) throw new Error('no hold');
  await block(t, poison.id);
  expect(await t.drain(0)).toBe(20);
  const letters = await t.sql('SELECT lane, kind, reservation, error FROM dead_letters');
  expect(letters).toEqual([
    {
      ...{ lane: 0, kind: 'reservation', reservation: poison.id },
      error: expect.stringContaining('Duplicate entry'),
    },
  ]);
  expect(await t.sql("SELECT id FROM holds WHERE state = 'held'")).toHaveLength(19);
  expect(await stockOf(t)).toEqual({ total: 100, available: 80, held: 20, pending: 0, sold: 0 });
  expect(await t.redis.hget(laneKey(0), 'state')).toBe('open');
  expect(errors()).toMatchObject([
    { msg: 'dead letter: a transition that MySQL does not take', reservation: poison.id },
  ]);
  await held(t, product);
  expect(await t.drain(0)).toBe(1);
});

test('later transitions of the same reservation wait behind it, and nobody is told a lie', async () => {
  const { t, product } = await undrainedEngine(nothing);
  const { id } = await held(t, product);
  await block(t, id);
  await t.drain(0);
  const ordering = t.engine.order(id, '', seconds(1));
  const refused = expect(ordering).rejects.toThrow(Unavailable);
  while ((await t.drain(0)) === 0);
  await refused;
  const letters = await t.sql('SELECT reservation, error FROM dead_letters ORDER BY sequence');
  expect(letters).toEqual([
    { reservation: id, error: expect.stringContaining('Duplicate') },
    { reservation: id, error: 'follows an earlier transition of the same reservation' },
  ]);
  expect(await t.sql('SELECT id FROM orders')).toEqual([]);
  expect(await stockOf(t)).toMatchObject({ available: 99, held: 0, pending: 1 });
  expect(await t.sql('SELECT dead_letters FROM lanes')).toEqual([{ dead_letters: 2 }]);
});

test('a rebuild counts the units of what waits as taken, and remembers its key', async () => {
  const { t, product } = await undrainedEngine(nothing);
  const { id } = await held(t, product, { key: 'first' });
  await held(t, product);
  await block(t, id);
  await t.drain(0);
  expect(await t.lanes.rebuild(0, false)).toMatchObject({ findings: [], holds: 1 });
  expect(await t.engine.readProduct(product.id, seconds(2))).toMatchObject({
    ...{ available: 98, held: 2 },
  });
  expect(await held(t, product, { key: 'first' })).toMatchObject({ id });
});

test('a hold whose row is gone: its order waits, the lane goes on', async () => {
  const { t, product } = await undrainedEngine(nothing);
  const { id } = await held(t, product);
  await t.drain(0);
  await t.sql('DELETE FROM holds');
  await t.engine.release(id, seconds(2));
  const other = await held(t, product);
  expect(await t.drain(0)).toBe(2);
  expect(await t.sql('SELECT id FROM holds')).toEqual([{ id: `hold_${other.id}` }]);
  expect(await t.sql('SELECT reservation FROM dead_letters')).toEqual([{ reservation: id }]);
});

test('an entry that cannot be read waits, and the lane goes on with the counters it tells', async () => {
  const { t, product } = await undrainedEngine(nothing);
  await held(t, product);
  const id = newReservationId(0);
  const [tail = '', position = '', emitted = ''] = await t.redis.hmget(
    laneKey(0),
    ...['tail', 'position', 'emitted'],
  );
  const next = `1-${Number(position?.split('-')[1]) + 1}`;
  const after = `${product.id}:100:97:3:0:0`;
  const fields = ['call', 'poison', 'prev', tail ?? '', 'at_ms', '1700000000000', 'emitted'];
  fields.push(String(Number(emitted) + 1), 'reservation', `${id}\tnone\theld`, 'counters', after);
  await t.redis.xadd(outboxKey(0), next, ...fields);
  const lane = { tail: 'poison', position: next, emitted: Number(emitted) + 1 };
  await t.redis.hset(laneKey(0), lane);
  await t.redis.hset(`hf:{0}:product:${product.id}`, { available: 97, held: 3 });
  expect(await hold(t, product)).toMatchObject({ status: 'held' });
  expect(await t.drain(0)).toBe(3);
  expect(await stockOf(t)).toMatchObject({ available: 96, held: 4 });
  expect(await t.sql('SELECT kind, reservation FROM dead_letters')).toEqual([
    { kind: 'unreadable', reservation: id },
  ]);
  expect(await t.redis.hget(laneKey(0), 'state')).toBe('open');
  // The units that it must have taken stay taken.
  expect(await t.lanes.rebuild(0, false)).toMatchObject({ findings: [] });
  expect(await stockOf(t)).toMatchObject({ available: 96, held: 4 });
});

test('what no row is to blame for is no dead letter: it is tried again', async () => {
  const { t, product } = await undrainedEngine(nothing);
  const { id } = await held(t, product);
  await t.sql('RENAME TABLE hold_items TO elsewhere');
  await expect(t.drain(0)).rejects.toThrow(/hold_items/);
  expect(await t.sql('SELECT * FROM dead_letters')).toEqual([]);
  await t.sql('RENAME TABLE elsewhere TO hold_items');
  expect(await t.drain(0)).toBe(1);
  expect(await t.sql('SELECT id FROM holds')).toEqual([{ id: `hold_${id}` }]);
  const writer = await t.another({ config: { roles: ['writer'] } });
  expect(await ordered(t, product)).toBeDefined();
  await writer.close();
});
