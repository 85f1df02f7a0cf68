import { expect, test } from 'vitest';
import { dueKey, productKey } from '../../src/redis/keys.ts';
import { soldSome } from '../recovery/sold-some.ts';
import { expectBooksBalance } from '../support/books.ts';
import { ownEngine, type TestEngine } from '../support/engine.ts';
import { holdfast } from '../support/process.ts';

const run = ({ redisUrl, mysqlUrl }: TestEngine, ...args: string[]) =>
  holdfast(['reconcile', ...args], { REDIS_URL: redisUrl, MYSQL_URL: mysqlUrl });

const engine = () =>
  ownEngine({ config: { roles: ['api', 'writer', 'expiry'] } }, expectBooksBalance);

test('books that agree are told in one line, and exit with 0', async () => {
  const t = await engine();
  const { product } = await soldSome(t);
  const { code, stdout, stderr } = await run(t);
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).toMatch(/^the books agree: 1 product, 2 live holds and orders, in \d+\.\d s\n$/);
  const json = await run(t, '--json', '--product', String(product.id));
  expect([json.code, JSON.parse(json.stdout)]).toMatchObject([
    0,
    { drift: 0, found: 0, repaired: 0, findings: [], fix: false, product_id: product.id },
  ]);
});

test('findings are told in words, with what --fix would do; then it does, and finds nothing', async () => {
  const t = await engine();
  const { product } = await soldSome(t);
  await t.redis.hincrby(productKey(0, product.id), 'available', 7);
  await t.redis.zadd(
    dueKey(0),
    Date.now() + 60_000,
    `01jzzzzzzze00000000000000a|held|1|${product.id}:4|`,
  );
  const found = await run(t);
  expect(found.code).toBe(1);
  expect(found.stdout).toContain(
    `redis_disagrees  product ${product.id}\n` +
      '  Redis counts other units than MySQL\n' +
      '  expected  total 50, available 44, held 2, pending 1, sold 3\n' +
      '  found     total 50, available 51, held 2, pending 1, sold 3\n' +
      "  --fix would: move Redis' counters by the difference\n",
  );
  expect(found.stdout).toMatch(/^index_stray +1 +4 +0$/m);
  expect(found.stdout).toMatch(/^2 findings, 0 repaired: 1 product,/m);
  for (const line of found.stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(86);
  const json = await run(t, '--json');
  expect(JSON.parse(json.stdout)).toMatchObject({ drift: 11, found: 2, repaired: 0 });
  const fixed = await run(t, '--fix');
  expect(fixed.code).toBe(0);
  expect(fixed.stdout).toContain('  repaired: take it out of the index of deadlines');
  expect(fixed.stdout).toMatch(/^2 findings, all repaired/m);
  const after = await run(t);
  expect([after.code, after.stdout]).toEqual([0, expect.stringContaining('the books agree')]);
  const rows = await t.sql(
    'SELECT fixes, found, repaired FROM reconciliations ORDER BY started_at',
  );
  expect(rows).toEqual([
    { fixes: 0, found: 2, repaired: 0 },
    { fixes: 0, found: 2, repaired: 0 },
    { fixes: 1, found: 2, repaired: 2 },
    { fixes: 0, found: 0, repaired: 0 },
  ]);
});

test('a product that does not exist, a number that is none', async () => {
  const t = await engine();
  await soldSome(t);
  const unknown = await run(t, '--product', '99');
  expect([unknown.code, unknown.stderr]).toEqual([1, 'holdfast: there is no product 99\n']);
  expect((await run(t, '--product', 'lamp')).code).toBe(2);
});

test('servers that are not there', async () => {
  const servers = { REDIS_URL: 'redis://127.0.0.1:1', MYSQL_URL: 'mysql://root@127.0.0.1:1/x' };
  expect((await holdfast(['reconcile'], servers)).code).toBe(3);
});
