import { afterAll, beforeAll, expect, test } from 'vitest';
import { startEngine, type TestEngine } from '../support/engine.ts';
import { holdfast } from '../support/process.ts';

let engine: TestEngine;
let environment: Record<string, string>;

const run = (...args: string[]) => holdfast(args, environment);

async function json(...args: string[]) {
  const { code, stdout, stderr } = await run(...args, '--json');
  expect(stderr).toBe('');
  expect(code).toBe(0);
  return JSON.parse(stdout);
}

beforeAll(async () => {
  engine = await startEngine();
  environment = { REDIS_URL: engine.redisUrl, MYSQL_URL: engine.mysqlUrl };
});

afterAll(() => engine.stop());

const lamp = ['product', 'create', '--name', 'Lamp', '--price', '12.50', '--stock', '8'];

test('a product is made, shown, restocked, paused and resumed', async () => {
  const made = await json(...lamp, '--max-per-buyer', '2', '--hold-ttl-seconds', '30');
  expect(made).toMatchObject({
    name: 'Lamp',
    price: '12.50',
    currency: 'USD',
    total_stock: 8,
    available_stock: 8,
    max_per_buyer: 2,
    hold_ttl_seconds: 30,
    status: 'active',
  });
  const id = String(made.id);
  expect(await json('product', 'show', id)).toEqual(made);
  expect(await json('product', 'restock', id, '4', '--key', 'first')).toMatchObject({
    total_stock: 12,
  });
  expect(await json('product', 'restock', id, '4', '--key', 'first')).toMatchObject({
    total_stock: 12,
  });
  expect(await json('product', 'pause', id)).toMatchObject({ status: 'paused' });
  expect(await json('product', 'resume', id)).toMatchObject({ status: 'active' });
  const { products } = await json('product', 'list');
  expect(products).toContainEqual(await json('product', 'show', id));
});

test('people get a table', async () => {
  const { stdout } = await run(...lamp);
  expect(stdout).toMatch(/│ Lamp │ 12\.50 USD │ active │\s+8 │\s+8 │/);
  expect((await run('product', 'list')).stdout).toContain('Lamp');
});

test.for([
  [['product', 'create', '--name', 'x', '--price', '1', '--stock', '-1'], '--stock must be'],
  [['product', 'create', '--name', 'x', '--price', '1.005', '--stock', '1'], '--price must be'],
  [
    ['product', 'create', '--name', 'x', '--price', '1', '--stock', '1', '--currency', 'XXY'],
    'ISO 4217',
  ],
  [['product', 'create', '--name', 'x', '--price', '1'], '--stock'],
  [['product', 'show', '4711'], 'there is no product 4711'],
  [['product', 'show', 'lamp'], 'no product id'],
  [['product', 'restock', '1', '0'], '--delta must be'],
  [['product', 'restock', '4711', '1'], 'there is no product 4711'],
  [['product', 'sell'], 'unknown command'],
  [['prodct'], 'unknown command'],
] as [string[], string][])('%j is refused with exit code 2', async ([args, reason]) => {
  const { code, stdout, stderr } = await run(...args);
  expect(stderr).toContain(reason);
  expect(stdout).toBe('');
  expect(code).toBe(2);
});

test('units that are not available cannot be taken away', async () => {
  const { id } = await json(...lamp);
  const { code, stderr } = await run('product', 'restock', String(id), '--', '-9');
  expect(code).toBe(2);
  expect(stderr).toContain('only 8 unit(s)');
});

test('migrate says that there is nothing to do', async () => {
  expect(await json('migrate')).toEqual({ migrations: 0 });
});

test.for([
  ['serve'],
  ['migrate'],
  ['product'],
  ['product', 'create'],
  ['product', 'list'],
  ['product', 'show'],
  ['product', 'restock'],
  ['product', 'pause'],
  ['product', 'resume'],
])('%s --help teaches, with exit code 0', async (args) => {
  const { code, stdout } = await run(...args, '--help');
  expect(code).toBe(0);
  expect(stdout).toContain('Usage: holdfast');
});
