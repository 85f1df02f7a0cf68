import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import mysql, { type RowDataPacket } from 'mysql2/promise';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runInShell } from '../support/curl.ts';
import { type Answer, call, HoldfastProcess, holdfast } from '../support/process.ts';

const STOCK = 100;
const BUYERS = 600;

let folder: string;
let environment: Record<string, string>;
let serve: HoldfastProcess;
let url: string;

const start = async () => {
  serve = new HoldfastProcess(['serve'], environment);
  url = await serve.ready();
};

async function rows(sql: string, values: unknown[] = []): Promise<RowDataPacket[]> {
  const servers = JSON.parse(await readFile(join(folder, 'servers.json'), 'utf8'));
  const connection = await mysql.createConnection({ uri: servers.mysql_url });
  try {
    return (await connection.query<RowDataPacket[]>(sql, values))[0];
  } finally {
    await connection.end();
  }
}

async function createProduct(name: string, stock: number): Promise<number> {
  const args = ['product', 'create', '--name', name, '--price', '19.90', '--stock', String(stock)];
  const { code, stdout, stderr } = await holdfast([...args, '--json'], environment);
  expect(stderr).toBe('');
  expect(code).toBe(0);
  return JSON.parse(stdout).id;
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-e2e-'));
  environment = { DATA_DIR: folder, PORT: '0', LOG_LEVEL: 'warn' };
  await start();
}, 120_000);

afterAll(async () => {
  await serve.stop();
  await rm(folder, { recursive: true, force: true });
});

test('the four lines that it prints buy the sample product, as printed', async () => {
  const lines = serve.stdout.split('\n').filter((line) => line.includes('curl -sS'));
  expect(lines).toHaveLength(4);
  const answers = (await runInShell(lines.join('\n'), folder)).trim().split('\n');
  expect(JSON.parse(answers.at(0) ?? '')).toMatchObject({ total_stock: 100, available_stock: 100 });
  const paid = JSON.parse(answers.at(-1) ?? '');
  expect(paid).toMatchObject({ status: 'applied', order_status: 'paid' });
  expect(await rows('SELECT state FROM orders WHERE id = ?', [paid.order_id])).toEqual([
    { state: 'paid' },
  ]);
});

test('600 buyers for 100 units get exactly 100 holds, and the rows say the same', async () => {
  const product = await createProduct('Crowd', STOCK);
  const answers = await Promise.all(
    Array.from({ length: BUYERS }, (_, buyer) =>
      call('POST', `${url}/api/holds`, { product_id: product, qty: 1, buyer: `buyer-${buyer}` }),
    ),
  );
  const held = answers.filter(({ status }) => status === 201);
  const refused = answers.filter(({ body }) => body.code === 'sold_out');
  expect(held).toHaveLength(STOCK);
  expect(refused).toHaveLength(BUYERS - STOCK);

  const buying = held.slice(0, 40).map(async ({ body }): Promise<[Answer, Answer]> => {
    const order = await call('POST', `${url}/api/orders`, { hold_id: body.hold_id });
    const { order_id } = order.body;
    const event = { order_id, reference: `ref-${order_id}`, status: 'success' };
    return [order, await call('POST', `${url}/api/payments/webhook`, event)];
  });
  for (const [order, payment] of await Promise.all(buying)) {
    expect(order.status).toBe(201);
    expect(payment).toMatchObject({ status: 200, body: { status: 'applied' } });
  }

  const expected = { available_stock: 0, held: 60, pending: 0, sold: 40 };
  expect((await call('GET', `${url}/api/products/${product}`)).body).toMatchObject(expected);
  await expect
    .poll(() =>
      rows('SELECT held, pending, sold, available FROM stock WHERE product_id = ?', [product]),
    )
    .toEqual([{ held: 60, pending: 0, sold: 40, available: 0 }]);
  const ids = new Set(held.map(({ body }) => body.hold_id));
  const stored = await rows(
    'SELECT h.id FROM holds h JOIN hold_items i ON i.hold_id = h.id WHERE i.product_id = ?',
    [product],
  );
  expect(new Set(stored.map(({ id }) => id))).toEqual(ids);
  const [paid] = await rows(
    "SELECT COUNT(*) AS orders FROM orders o JOIN hold_items i ON i.hold_id = o.hold_id WHERE o.state = 'paid' AND i.product_id = ?",
    [product],
  );
  expect(Number(paid?.orders)).toBe(40);
});

test.for(['SIGTERM', 'SIGKILL'] as const)(
  'after %s and a start everything is there',
  async (signal) => {
    const product = await createProduct(`Kept after ${signal}`, 5);
    const hold = await call('POST', `${url}/api/holds`, { product_id: product, qty: 2 });
    const kept = await call('POST', `${url}/api/holds`, { product_id: product, qty: 1 });
    const order = await call('POST', `${url}/api/orders`, { hold_id: hold.body.hold_id });
    expect(order.status).toBe(201);
    const stopped = await serve.stop(signal);
    expect(stopped.code).toBe(signal === 'SIGTERM' ? 0 : null);
    await start();

    expect((await call('GET', `${url}/api/products/${product}`)).body).toMatchObject({
      available_stock: 2,
      held: 1,
      pending: 2,
    });
    const again = await call('GET', `${url}/api/holds/${kept.body.hold_id}`);
    expect(again.body).toEqual(kept.body);
    const event = {
      order_id: order.body.order_id,
      reference: `after-${signal}`,
      status: 'success',
    };
    expect((await call('POST', `${url}/api/payments/webhook`, event)).body).toMatchObject({
      status: 'applied',
      order_status: 'paid',
    });
  },
);

test('a second serve on the same data folder is refused and says what to do', async () => {
  const { code, stderr } = await holdfast(['serve'], environment);
  expect(code).toBe(1);
  expect(stderr).toMatch(new RegExp(`DATA_DIR .* is in use by process \\d+ \\(${url}\\)`));
});

test('commands have the lanes and times of the running Holdfast, unless told others', async () => {
  const stopped = await serve.stop();
  expect(stopped.stderr).toContain(`stopped; the data stays in ${folder}`);
  environment = { ...environment, LANES: '3', HOLD_TTL_SECONDS: '7', PAY_TTL_SECONDS: '8' };
  await start();
  const plain = { DATA_DIR: folder };
  const create = ['product', 'create', '--name', 'Lamp', '--price', '9.50', '--stock', '3'];
  const made = await holdfast([...create, '--lane', '2', '--json'], plain);
  const product = JSON.parse(made.stdout);
  expect(product).toMatchObject({ lane: 2, hold_ttl_seconds: 7, pay_ttl_seconds: 8 });
  const told = await holdfast([...create, '--json'], { ...plain, HOLD_TTL_SECONDS: '9' });
  expect(JSON.parse(told.stdout)).toMatchObject({ hold_ttl_seconds: 9, pay_ttl_seconds: 8 });
  const few = await holdfast(['product', 'list'], { ...plain, LANES: '2' });
  expect(few.stderr).toContain('lane 2 is in use, and LANES is 2: set LANES to 3 or more');
  expect(few.code).toBe(2);
});
