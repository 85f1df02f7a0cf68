import { expect, test } from 'vitest';
import { orderId } from '../../src/domain/ids.ts';
import { Unavailable } from '../../src/domain/unavailable.ts';
import { expectBooksBalance } from '../support/books.ts';
import { held, pay } from '../support/buying.ts';
import {
  block,
  blockedPurchase,
  openLetters,
  replayFirst,
  unblock,
} from '../support/dead-letters.ts';
import { seconds } from '../support/engine.ts';
import { undrainedEngine } from '../support/undrained.ts';

// What waits as a dead letter has happened, though MySQL's rows do not say so, and Redis may have
// forgotten it.

const nothing = async () => undefined;

test('a hold that waits is not said to be unknown once Redis has forgotten it', async () => {
  const { t, product } = await undrainedEngine(nothing);
  const { id } = await held(t, product);
  await block(t, id);
  await t.drain(0);
  await unblock(t);
  expect(await t.lanes.rebuild(0, false)).toMatchObject({ findings: [] });
  await expect(t.engine.release(id, seconds(1))).rejects.toThrow(Unavailable);
  await expect(t.engine.readHold(id, seconds(1))).rejects.toThrow(Unavailable);
});

test('a late payment that waits does not leave the order to be paid again', async () => {
  const { t, product } = await undrainedEngine(nothing);
  const { id } = await held(t, product, { qty: 2 });
  await t.drain(0);
  const ordering = t.engine.order(id, '', seconds(2));
  while ((await t.drain(0)) === 0);
  await ordering;
  const failing = pay(t, id, 'failed', 'pay-0');
  while ((await t.drain(0)) === 0);
  expect(await failing).toMatchObject({ status: 'applied' });
  await t.sql(
    "CREATE TRIGGER refused BEFORE INSERT ON orders FOR EACH ROW SIGNAL SQLSTATE '45000'",
  );
  const paying = expect(pay(t, id, 'success', 'pay-1')).rejects.toThrow(Unavailable);
  while ((await t.drain(0)) === 0);
  await paying;
  await t.sql('DROP TRIGGER refused');
  const letters = await openLetters(t);
  expect(letters.length).toBeGreaterThan(0);
  await t.lanes.rebuild(0, false);
  await expect(pay(t, id, 'success', 'pay-2')).rejects.toThrow(Unavailable);
  await t.drain(0);
  expect(await openLetters(t)).toEqual(letters);
  expect(await replayFirst(t)).toMatchObject({ status: 'replayed' });
  expect(await t.engine.readProduct(product.id, seconds(2))).toMatchObject({ sold: 2 });
  await expectBooksBalance(t);
});

test('units that were added and wait are not added again, by its caller or the sweeper', async () => {
  const { t, product } = await undrainedEngine(nothing);
  await t.sql(
    'CREATE TRIGGER refused BEFORE INSERT ON stock_adjustments FOR EACH ROW' +
      " IF NEW.epoch IS NOT NULL THEN SIGNAL SQLSTATE '45000'; END IF",
  );
  const adjust = () => t.engine.admin.adjustStock(product.id, 5, 'more', seconds(1));
  const adding = expect(adjust()).rejects.toThrow(Unavailable);
  while ((await t.drain(0)) === 0);
  await adding;
  await t.sql('DROP TRIGGER refused');
  expect(await openLetters(t)).toHaveLength(1);
  await t.lanes.rebuild(0, false);
  await expect(adjust()).rejects.toThrow(Unavailable);
  await t.drain(0);
  expect(await replayFirst(t)).toMatchObject({ status: 'replayed' });
  expect(await adjust()).toMatchObject({ status: 'adjusted', product: { total: 105 } });
  await expectBooksBalance(t);
});

test('a payment that waits is one dead letter, however often it is sent again', async () => {
  const { t, id } = await blockedPurchase();
  const letters = await openLetters(t);
  const again = { orderId: orderId(id), reference: 'pay-1', status: 'success' } as const;
  for (let delivery = 0; delivery < 5; delivery += 1) {
    await expect(t.inbox.receive(again, seconds(1))).rejects.toThrow(Unavailable);
    await t.drain(0);
  }
  expect(await openLetters(t)).toEqual(letters);
});
