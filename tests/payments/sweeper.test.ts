import { expect, test } from 'vitest';
import { newReservationId, orderId } from '../../src/domain/ids.ts';
import { laneKey } from '../../src/redis/keys.ts';
import { expectBooksBalance } from '../support/books.ts';
import { held, ordered, pay } from '../support/buying.ts';
import { makeProduct, ownEngine, seconds, type TestEngine } from '../support/engine.ts';
import { eventually } from '../support/wait.ts';

/** Receipts whose process died before it could act on them. */
async function leaveReceipts(t: TestEngine, orderByReference: Record<string, string>) {
  const receivedAt = new Date(Date.now() - 60_000);
  const rows = Object.entries(orderByReference).map(([reference, order]) => [
    ...[reference, orderId(order), 'success', receivedAt],
  ]);
  await t.mysql.query(
    'INSERT INTO payment_events (reference, order_id, status, received_at) VALUES ?',
    [rows],
  );
}

const stateOf = async (t: TestEngine, id: string) =>
  (await t.engine.readOrder(id, seconds(2)))?.state;

test('P5: a webhook that came before its order is applied by the sweeper', async () => {
  const t = await ownEngine({ openMs: 50 }, expectBooksBalance);
  const { id } = await held(t, await makeProduct(t));
  expect(await pay(t, id)).toEqual({ status: 'order_not_found' });
  expect((await t.engine.admin.overview(seconds(2))).openReceipts).toBe(1);
  await t.engine.order(id, '', seconds(5));
  await eventually(async () => expect(await stateOf(t, id)).toBe('paid'));
  expect((await t.engine.admin.overview(seconds(2))).openReceipts).toBe(0);
});

test('P5: receipts of processes that died are settled, behind 150 whose orders never come', async () => {
  const t = await ownEngine({ openMs: 50 }, expectBooksBalance);
  const early = Array.from({ length: 150 }, (_, index) => [`a-${index}`, newReservationId(0)]);
  await leaveReceipts(t, Object.fromEntries(early));
  const id = await ordered(t, await makeProduct(t));
  await leaveReceipts(t, { b: id });
  await eventually(async () => expect(await stateOf(t, id)).toBe('paid'));
  const row = await t.sql("SELECT outcome FROM payment_events WHERE reference = 'b'");
  expect(row).toEqual([{ outcome: 'applied' }]);
});

test('P5: a receipt that a closed lane keeps open does not keep those of other lanes open', async () => {
  const t = await ownEngine({ openMs: 50, config: { lanes: 2 } }, async () => undefined);
  const products = [await makeProduct(t, { lane: 0 }), await makeProduct(t, { lane: 1 })] as const;
  const [closed, open] = [await ordered(t, products[0]), await ordered(t, products[1])];
  // Of a later epoch than MySQL: it is closed until people decide.
  await t.redis.hset(laneKey(0), { state: 'closed', epoch: '2' });
  await leaveReceipts(t, { a: closed, b: open });
  await eventually(async () => expect(await stateOf(t, open)).toBe('paid'));
  expect(await stateOf(t, closed)).toBe('pending');
  await t.redis.hset(laneKey(0), 'epoch', '1');
  await eventually(async () => expect(await stateOf(t, closed)).toBe('paid'));
  await expectBooksBalance(t);
});
