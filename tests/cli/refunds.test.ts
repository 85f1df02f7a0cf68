import { expect, test } from 'vitest';
import { orderId } from '../../src/domain/ids.ts';
import { expectBooksBalance } from '../support/books.ts';
import { ordered, pay } from '../support/buying.ts';
import { makeProduct, ownEngine, type TestEngine } from '../support/engine.ts';
import { holdfast } from '../support/process.ts';

const run = (t: TestEngine, ...args: string[]) =>
  holdfast(args, { REDIS_URL: t.redisUrl, MYSQL_URL: t.mysqlUrl });

test('refunds: nothing due, then a second payment until it is done', async () => {
  const t = await ownEngine({}, expectBooksBalance);
  const product = await makeProduct(t);
  const id = await ordered(t, product, { buyer: 'ann' });
  await pay(t, id);
  expect(await run(t, 'refunds', 'list')).toMatchObject({
    code: 0,
    stdout: 'no refunds are due\n',
  });
  await pay(t, id, 'success', 'pay-2');
  const listed = await run(t, 'refunds', 'list');
  expect(listed).toMatchObject({ code: 1, stderr: '' });
  const line = new RegExp(`^\\S+Z +${orderId(id)} +19.90 USD +ann +pay-2 +nothing to sell`, 'm');
  expect(listed.stdout).toMatch(line);
  const { stdout } = await run(t, 'refunds', 'list', '--json');
  expect(JSON.parse(stdout)).toMatchObject({ open: 1, refunds: [{ reference: 'pay-2' }] });
  const wrong = await run(t, 'refunds', 'done', orderId(id), 'pay-2', 'pay-3');
  expect(wrong.code).toBe(1);
  expect(wrong.stderr).toContain(`no money was due back on ${orderId(id)} for pay-2, pay-3;`);
  const done = await run(t, 'refunds', 'done', orderId(id), 'pay-2');
  expect(done).toMatchObject({ code: 0, stdout: `${orderId(id)}: pay-2 has gone back\n` });
  const again = await run(t, 'refunds', 'done', orderId(id));
  expect(again).toMatchObject({ code: 0, stdout: `${orderId(id)}: it was done before\n` });
  expect((await run(t, 'refunds', 'list')).code).toBe(0);
});

test('orders refund: a paid order, and its units later', async () => {
  const t = await ownEngine({}, expectBooksBalance);
  const id = await ordered(t, await makeProduct(t));
  const refund = (...more: string[]) => run(t, 'orders', 'refund', orderId(id), ...more);
  const early = await refund();
  expect(early.code).toBe(1);
  expect(early.stderr).toContain('is not paid');
  await pay(t, id);
  expect((await refund()).stdout).toBe(`${orderId(id)} is refunded; its units stay sold\n`);
  const { stdout } = await refund('--return-units', '--json');
  expect(JSON.parse(stdout)).toMatchObject({ status: 'refunded', units_returned: true });
  const shown = await holdfast(['show', orderId(id)], {
    REDIS_URL: t.redisUrl,
    MYSQL_URL: t.mysqlUrl,
  });
  expect(shown.stdout).toMatch(/^4 +\S+Z +refunded +1-\d+ +refund *$/m);
  expect(await refund('--nonsense')).toMatchObject({ code: 2 });
  expect(await run(t, 'orders', 'refund', 'order_1')).toMatchObject({ code: 2 });
});
