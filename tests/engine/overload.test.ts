import { expect, test } from 'vitest';
import { laneKey } from '../../src/redis/keys.ts';
import { drained, expectBooksBalance } from '../support/books.ts';
import { atOnce, held, hold, tally } from '../support/buying.ts';
import { makeProduct, ownEngine, seconds } from '../support/engine.ts';
import { eventually } from '../support/wait.ts';

test('P8: without a writer holds go on up to OUTBOX_MAX, and again once it has drained', async () => {
  const t = await ownEngine(
    { config: { outboxMax: 20, roles: ['api', 'expiry'] } },
    expectBooksBalance,
  );
  const writer = await t.another({ config: { roles: ['writer'] } });
  const product = await makeProduct(t, { totalStock: 100 });
  const first = await held(t, product);
  await drained(t);
  await writer.close();

  const lane = async (field: string) => Number(await t.redis.hget(laneKey(0), field));
  expect((await lane('emitted')) - (await lane('persisted'))).toBe(0);
  expect(tally(await atOnce(50, () => hold(t, product)))).toEqual({ held: 20, overloaded: 30 });
  // Only holds are refused: what gives units back must always go on.
  expect(await t.engine.release(first.id, seconds(2))).toMatchObject({ status: 'released' });
  expect((await lane('emitted')) - (await lane('persisted'))).toBe(21);

  await t.another({ config: { roles: ['writer'] } });
  await eventually(async () => {
    expect(await hold(t, product)).toMatchObject({ status: 'held' });
  });
  await drained(t);
  expect(tally(await atOnce(15, () => hold(t, product)))).toEqual({ held: 15 });
});
