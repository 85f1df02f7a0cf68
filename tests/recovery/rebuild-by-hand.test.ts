import { expect, test } from 'vitest';
import { SuspectLane, WrongDatabase } from '../../src/recovery/errors.ts';
import { dueKey, outboxKey, productKey } from '../../src/redis/keys.ts';
import { drained, expectBooksBalance } from '../support/books.ts';
import { atOnce, held, hold } from '../support/buying.ts';
import { makeProduct, ownEngine, seconds } from '../support/engine.ts';

// A rebuild that people ask for, over a lane that may be at work.

test('by hand: drained first, so that nothing is lost', async () => {
  const t = await ownEngine({ config: { roles: ['api'] } }, expectBooksBalance);
  const writer = await t.another({ config: { roles: ['writer'] } });
  const product = await makeProduct(t, { totalStock: 20 });
  await drained(t);
  await writer.close();
  const holds = await atOnce(5, () => held(t, product));
  const rebuilt = await t.lanes.rebuild(0, false);
  expect(rebuilt).toMatchObject({ lane: 0, epoch: 2, products: 1, holds: 5, findings: [] });
  for (const { id } of holds) {
    expect(await t.engine.readHold(id, seconds(2))).toMatchObject({ state: 'held' });
  }
  await t.another({ config: { roles: ['writer'] } });
});

test('by hand: MySQL that lost entries only when that is accepted, another’s never', async () => {
  const t = await ownEngine({ keepMs: 0 }, async () => undefined);
  const product = await makeProduct(t, { totalStock: 20 });
  await held(t, product);
  await drained(t);
  await t.redis.del(outboxKey(0));
  await t.sql('UPDATE lanes SET sequence = sequence - 1');
  await expect(t.lanes.rebuild(0, false)).rejects.toThrow(SuspectLane);
  expect(await t.lanes.rebuild(0, true)).toMatchObject({ epoch: 2, holds: 1 });
  expect(await hold(t, product)).toMatchObject({ status: 'held' });
  await t.sql('DELETE FROM lanes');
  await expect(t.lanes.rebuild(0, true)).rejects.toThrow(WrongDatabase);
  expect(await t.redis.exists(productKey(0, product.id), dueKey(0))).toBe(2);
});
