import { afterAll, beforeAll, expect, test } from 'vitest';
import { orderId } from '../../src/domain/ids.ts';
import { expectBooksBalance } from '../support/books.ts';
import { atOnce, ordered, pay } from '../support/buying.ts';
import { makeProduct, startEngine, type TestEngine } from '../support/engine.ts';
import { holdfast } from '../support/process.ts';

let engine: TestEngine;

beforeAll(async () => {
  engine = await startEngine();
});
afterAll(async () => {
  await expectBooksBalance(engine);
  await engine.stop();
});

const run = (...args: string[]) => {
  const servers = { REDIS_URL: engine.redisUrl, MYSQL_URL: engine.mysqlUrl };
  return holdfast(['orders', ...args], servers);
};

interface Listed {
  orders: { order_id: string; status: string; created_at: string; buyer: string | null }[];
  next: string | null;
}

async function json(...args: string[]): Promise<Listed> {
  const { code, stdout, stderr } = await run('list', ...args, '--json');
  expect(stderr).toBe('');
  expect(code).toBe(0);
  return JSON.parse(stdout);
}

const idsOf = ({ orders }: Listed) => orders.map((it) => it.order_id);

test('without orders people are told so, and machines get an empty list', async () => {
  const told = { code: 0, stdout: 'There is no such order.\n', stderr: '' };
  expect(await run('list', '--status', 'refund_due')).toEqual(told);
  expect(await json()).toEqual({ orders: [], next: null });
});

test('orders are listed by status, product, buyer and time', async () => {
  const [lamp, desk] = [await makeProduct(engine), await makeProduct(engine)];
  const both = [lamp, desk].map(({ id }) => ({ productId: id, qty: 2 }));
  const buyer = `a.buyer.with.a.rather.long.name.${'x'.repeat(32)}`;
  const first = orderId(await ordered(engine, lamp, { buyer: 'ann' }));
  const paid = await ordered(engine, both, { buyer });
  await pay(engine, paid);
  const last = orderId(await ordered(engine, lamp));
  const product = ['--product', String(lamp.id)];
  const all = await json(...product);
  expect(idsOf(all)).toEqual([last, orderId(paid), first]);
  expect(all.next).toBeNull();
  expect(idsOf(await json(...product, '--status', 'pending'))).toEqual([last, first]);
  expect(idsOf(await json('--status', 'paid'))).toEqual([orderId(paid)]);
  expect(idsOf(await json('--buyer', 'ann'))).toEqual([first]);
  expect(idsOf(await json('--product', String(desk.id)))).toEqual([orderId(paid)]);
  const moment = all.orders[1]?.created_at ?? '';
  expect(idsOf(await json(...product, '--since', moment))).toEqual([last, orderId(paid)]);
  expect(idsOf(await json(...product, '--until', moment))).toEqual([first]);
  expect(idsOf(await json(...product, '--limit', '1'))).toEqual([last]);
  const { stdout } = await run('list', ...product);
  const time = moment.slice(0, 19).replace('T', ' ');
  expect(stdout).toMatch(new RegExp(`^${orderId(paid)} +paid +${time} +79\\.60 USD$`, 'm'));
  expect(stdout).toMatch(new RegExp(`^2 of product ${lamp.id}, 2 of product ${desk.id}`, 'm'));
  expect(stdout).toMatch(new RegExp(`^1 of product ${lamp.id} for ann +$`, 'm'));
  expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
});

test('--all goes on to the end, --limit says that there are more', async () => {
  const product = await makeProduct(engine, { totalStock: 250 });
  const made = await atOnce(230, () => ordered(engine, product));
  const of = ['--product', String(product.id)];
  const all = await json(...of, '--all');
  expect(idsOf(all)).toEqual(made.map(orderId).sort().reverse());
  expect(all.next).toBeNull();
  const some = await json(...of, '--limit', '200');
  expect(idsOf(some)).toEqual(idsOf(all).slice(0, 200));
  expect(some.next).toBe(idsOf(some).at(-1));
  expect((await json(...of)).orders).toHaveLength(50);
  const { stdout } = await run('list', ...of, '--limit', '2');
  expect(stdout).toContain('There are older ones: --all lists them, too.');
});

test.for<[string[], string]>([
  [['list', '--status', 'sold'], '--status must be one of pending, paid'],
  [['list', '--product', 'lamp'], '--product must be a positive whole number'],
  [['list', '--since', 'monday'], '--since must be an ISO-8601 time'],
  [
    ['list', '--since', '2026-01-02T00:00:00Z', '--until', '2026-01-01T00:00:00Z'],
    '--until must be later than --since',
  ],
  [['list', '--limit', '0'], '--limit must be a whole number from 1 to 200'],
  [['list', '--limit', '5', '--all'], 'say --limit or --all, not both'],
  [['list', '--lane', '1'], "unknown option '--lane'"],
  [['sell'], 'unknown command'],
])('%j is refused with exit code 2', async ([args, reason]) => {
  const { code, stdout, stderr } = await run(...args);
  expect(stderr).toMatch(/^holdfast: /);
  expect(stderr).toContain(reason);
  expect(stdout).toBe('');
  expect(code).toBe(2);
});

test('a server that is not there ends it with exit code 3', async () => {
  const servers = { REDIS_URL: engine.redisUrl, MYSQL_URL: 'mysql://root@127.0.0.1:1/none' };
  const { code, stdout, stderr } = await holdfast(['orders', 'list'], servers);
  expect([code, stdout]).toEqual([3, '']);
  expect(stderr).toMatch(/^holdfast: /);
});

test.for([['orders'], ['orders', 'list']])('%s --help teaches', async (args) => {
  const { code, stdout } = await holdfast([...args, '--help'], {});
  expect(code).toBe(0);
  expect(stdout).toContain(`Usage: holdfast ${args.join(' ')}`);
  if (args.length > 1) expect(stdout).toContain('$ holdfast orders list --status refund_due');
});
