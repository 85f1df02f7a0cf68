import { expect, test } from 'vitest';
import { dueKey, productKey } from '../../src/redis/keys.ts';
import { expectBooksBalance } from '../support/books.ts';
import { atOnce, held, ordered, pay } from '../support/buying.ts';
import { makeProduct, ownEngine, seconds, type TestEngine } from '../support/engine.ts';
import { eventually } from '../support/wait.ts';
import { soldSome } from './sold-some.ts';

// Sales that nothing is wrong with, however they went, and many that something is wrong with.

const roles = ['api', 'writer', 'expiry'] as const;
const engine = () => ownEngine({ config: { roles } }, expectBooksBalance);

const reconcile = (t: TestEngine, fixes: boolean) =>
  t.reconcile({ productId: null, fixes, cause: 'command', isPaced: false });
const kindsOf = ({ findings }: { findings: { kind: string }[] }) => [
  ...new Set(findings.map(({ kind }) => kind)),
];

test('an order that was refunded is not made paid again', async () => {
  const t = await engine();
  const { live, paid } = await soldSome(t);
  await t.refunds.refundOrder(paid, false, seconds(5));
  await t.sql('DELETE FROM holds WHERE id = ?', [`hold_${live}`]);
  expect(kindsOf(await reconcile(t, true))).not.toContain('row_edited');
  await t.sql('UPDATE stock SET held = held + 1');
  expect(kindsOf(await reconcile(t, true))).not.toContain('row_edited');
  const [order] = await t.sql('SELECT state FROM orders WHERE id = ?', [`order_${paid}`]);
  expect(order?.state).toBe('refunded');
});

test('a refund that the history tells is given back to a row that was edited', async () => {
  const t = await engine();
  const { paid } = await soldSome(t);
  const before = await t.refunds.refundOrder(paid, true, seconds(5));
  await t.sql("UPDATE orders SET state = 'paid', refunded_at = NULL WHERE id = ?", [
    `order_${paid}`,
  ]);
  expect(kindsOf(await reconcile(t, true))).toContain('row_edited');
  expect(await t.engine.readOrder(paid, seconds(2))).toEqual('order' in before && before.order);
});

test.each(['all', 'last'])(
  'a sale with everything in it, HISTORY=%s, two lanes',
  async (history) => {
    const keepsHistory = history === 'all';
    const t = await ownEngine({ config: { roles, lanes: 2, keepsHistory } }, expectBooksBalance);
    const other = await t.another({ config: { roles: ['writer'], keepsHistory: !keepsHistory } });
    expect(other).toBeDefined();
    for (const lane of [0, 1]) {
      const short = { totalStock: 20, lane, holdTtlMs: 150, payTtlMs: 150 };
      const [a, b] = [await makeProduct(t, short), await makeProduct(t, short)];
      const both = [a, b].map(({ id }) => ({ productId: id, qty: 2 }));
      const late = [await ordered(t, both, { buyer: 'ann' }), await ordered(t, a, { qty: 9 })];
      await held(t, both, { buyer: 'ann' });
      await t.engine.admin.change(a.id, { maxPerBuyer: 3 }, seconds(5));
      await held(t, a, { buyer: 'bob' });
      await eventually(async () => expect(await t.redis.zcard(dueKey(lane))).toBe(0));
      expect((await reconcile(t, false)).findings).toEqual([]);
      await t.engine.admin.change(b.id, { holdTtlMs: 60_000, payTtlMs: 60_000 }, seconds(5));
      const inTime = await ordered(t, b, { qty: 19 });
      expect(await pay(t, late[0] ?? '')).toMatchObject({ status: 'refund_due' });
      await t.engine.cancel(inTime, seconds(5));
      await pay(t, late[1] ?? '');
      await pay(t, late[1] ?? '');
      await eventually(async () => expect(await t.redis.zcard(dueKey(lane))).toBe(0));
      await pay(t, await ordered(t, a, { buyer: 'cat' }), 'failed');
      expect((await reconcile(t, false)).findings).toEqual([]);
    }
    await t.lanes.rebuild(1, false);
    expect((await reconcile(t, true)).findings).toEqual([]);
  },
);

test('a mark of 450 products tells of every one that is wrong', async () => {
  const t = await engine();
  const ids: number[] = [];
  for (let index = 0; index < 450; index += 50) {
    const made = await atOnce(50, () => makeProduct(t));
    ids.push(...made.map(({ id }) => id));
  }
  for (const id of ids) await t.redis.hincrby(productKey(0, id), 'available', -1);
  const fixed = await reconcile(t, true);
  expect(fixed).toMatchObject({ found: 450, repaired: 450 });
  expect((await reconcile(t, false)).findings).toEqual([]);
});
