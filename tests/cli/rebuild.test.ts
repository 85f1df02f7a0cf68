import { expect, test } from 'vitest';
import { outboxKey } from '../../src/redis/keys.ts';
import { drained, expectBooksBalance } from '../support/books.ts';
import { held, ordered } from '../support/buying.ts';
import { makeProduct, ownEngine, type TestEngine } from '../support/engine.ts';
import { holdfast } from '../support/process.ts';

const nothing = async () => undefined;

const run = (t: TestEngine, ...args: string[]) =>
  holdfast(['rebuild', ...args], { REDIS_URL: t.redisUrl, MYSQL_URL: t.mysqlUrl });

test('lanes are rebuilt while others serve, and nothing is lost', async () => {
  const t = await ownEngine({}, expectBooksBalance);
  const product = await makeProduct(t);
  await held(t, product);
  await ordered(t, product);
  const { code, stdout } = await run(t);
  expect(stdout).toMatch(/^ +0 +2 +1 +1 +1 /m);
  expect(code).toBe(0);
  const { stdout: json } = await run(t, '--lane', '0', '--json');
  expect(JSON.parse(json)).toMatchObject({
    lanes: [{ lane: 0, epoch: 3, products: 1, holds: 1, orders: 1, findings: [] }],
  });
});

test('rows that do not add up are corrected, told, and exit code 1', async () => {
  const t = await ownEngine({}, nothing);
  const product = await makeProduct(t);
  await held(t, product);
  await drained(t);
  await t.sql('UPDATE stock SET held = 3, available = 7');
  const { code, stdout } = await run(t);
  expect(code).toBe(1);
  expect(stdout).toContain(
    `corrected: product ${product.id} had available 7, held 3, pending 0; its rows say available 9, held 1, pending 0`,
  );
  await expectBooksBalance(t);
});

test('MySQL that lost entries is only believed when told so', async () => {
  const t = await ownEngine({ keepMs: 0 }, nothing);
  const product = await makeProduct(t);
  await held(t, product);
  await drained(t);
  await t.redis.xtrim(outboxKey(0), 'MAXLEN', 0);
  await t.sql('UPDATE lanes SET sequence = sequence - 1');
  const refused = await run(t);
  expect(refused).toMatchObject({ code: 1, stdout: '' });
  expect(refused.stderr).toMatch(/MySQL has lost entries.*--accept-mysql/s);
  expect(await run(t, '--accept-mysql')).toMatchObject({ code: 0 });
});

test('a lane that there is not is wrong usage', async () => {
  const t = await ownEngine({}, nothing);
  const { code, stderr } = await run(t, '--lane', '1');
  expect(code).toBe(2);
  expect(stderr).toContain('--lane must be 0: LANES is 1');
});
