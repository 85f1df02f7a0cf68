import { afterAll, beforeAll, expect, test } from 'vitest';
import { startEngine, type TestEngine } from '../support/engine.ts';
import { HoldfastProcess, holdfast } from '../support/process.ts';
import { projectFile } from '../support/project.ts';

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
  const made = await json(
    ...lamp,
    '--max-per-buyer',
    '2',
    '--hold-ttl-seconds',
    '30',
    '--extend-seconds',
    '15',
  );
  expect(made).toMatchObject({
    name: 'Lamp',
    price: '12.50',
    currency: 'USD',
    total_stock: 8,
    available_stock: 8,
    max_per_buyer: 2,
    hold_ttl_seconds: 30,
    extend_seconds: 15,
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

test('people get fields and a table', async () => {
  const { stdout } = await run(...lamp);
  expect(stdout).toMatch(/^name +Lamp\nprice +12\.50 USD\nstatus +active\ntotal stock +8$/m);
  expect(stdout).toMatch(/^a hold lasts +\d+ s$/m);
  expect(stdout).toMatch(/^can be extended by +not at all$/m);
  const extendable = await run(...lamp, '--extend-seconds', '45');
  expect(extendable.stdout).toMatch(/^can be extended by +45 s, once$/m);
  const list = await run('product', 'list');
  expect(list.stdout).toMatch(/Lamp +12\.50 USD +active +8 +0 +0 +0$/m);
  expect(Math.max(...list.stdout.split('\n').map((line) => line.length))).toBeLessThan(80);
});

test.for([
  [['product', 'create', '--name', 'x', '--price', '1', '--stock', '-1'], '--stock must be'],
  [['product', 'create', '--name', 'x', '--price', '1.005', '--stock', '1'], '--price must be'],
  [
    ['product', 'create', '--name', 'x', '--price', '1', '--stock', '1', '--currency', 'XXY'],
    'ISO 4217',
  ],
  [['product', 'create', '--name', 'x', '--price', '1'], '--stock'],
  [[...lamp, '--extend-seconds', '86401'], '--extend-seconds must be'],
  [[...lamp, '--lane', '1'], '--lane must be 0: LANES is 1'],
  [['product', 'show', 'lamp'], 'no product id'],
  [['product', 'restock', '1', '0'], '<delta> must be'],
  [['product', 'sell'], 'unknown command'],
  [['prodct'], 'unknown command'],
] as [string[], string][])('%j is refused with exit code 2', async ([args, reason]) => {
  const { code, stdout, stderr } = await run(...args);
  expect(stderr).toMatch(/^holdfast: /);
  expect(stderr).toContain(reason);
  expect(stdout).toBe('');
  expect(code).toBe(2);
});

test('what is asked for rightly and refused ends with exit code 1', async () => {
  const id = String((await json(...lamp)).id);
  expect(await json('product', 'restock', id, '-2', '--key', 'used')).toMatchObject({
    available_stock: 6,
  });
  for (const [args, reason] of [
    [['show', '4711'], 'there is no product 4711'],
    [['restock', '4711', '1'], 'there is no product 4711'],
    [['restock', id, '-9'], 'units available to take away: 6'],
    [['restock', id, '3', '--key', 'used'], '--key used was used with another delta before'],
  ] as [string[], string][]) {
    const { code, stderr } = await run('product', ...args);
    expect(stderr).toContain(reason);
    expect(code).toBe(1);
  }
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
  expect(stdout).toContain('npx holdfast');
});

test('help finds a command of a command, and --version says the version', async () => {
  const { stdout } = await run('help', 'product', 'create');
  expect(stdout).toContain('Usage: holdfast product create');
  const { version } = JSON.parse(await projectFile('package.json'));
  expect((await run('--version')).stdout).toBe(`${version}\n`);
});

test('who reads no further ends it quietly', async () => {
  const help = new HoldfastProcess(['--help'], {});
  help.child.stdout?.destroy();
  expect(await help.finished()).toEqual({ code: 0, stdout: '', stderr: '' });
});
