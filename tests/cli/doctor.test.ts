import { expect, test } from 'vitest';
import { laneKey, outboxKey } from '../../src/redis/keys.ts';
import { LAG_MAX_MS } from '../../src/writer/lag.ts';
import { drained, expectBooksBalance } from '../support/books.ts';
import { held } from '../support/buying.ts';
import { makeProduct, ownEngine, type TestEngine } from '../support/engine.ts';
import { holdfast } from '../support/process.ts';
import { undrainedEngine } from '../support/undrained.ts';
import { eventually } from '../support/wait.ts';

const nothing = async () => undefined;

const run = (t: TestEngine, ...args: string[]) =>
  holdfast(args, { REDIS_URL: t.redisUrl, MYSQL_URL: t.mysqlUrl });

interface Check {
  what: string;
  state: string;
  found: string;
  advice: string;
}

async function checksOf(t: TestEngine) {
  const { code, stdout } = await run(t, 'doctor', '--json');
  const { checks } = JSON.parse(stdout) as { checks: Check[] };
  return { code, of: (what: string) => checks.find((check) => check.what === what), checks };
}

test('where nothing is wrong, doctor says so', async () => {
  const t = await ownEngine({}, expectBooksBalance);
  await makeProduct(t);
  const { code, checks } = await checksOf(t);
  expect(code).toBe(0);
  expect(checks.filter(({ state }) => state === 'bad')).toEqual([]);
  const { stdout } = await run(t, 'doctor');
  expect(stdout).toMatch(/^ok +tables +(\d+) of \1 migrations/m);
  expect(stdout).toMatch(/^ok +lane 0 +open, epoch 1; MySQL has everything/m);
});

test('doctor finds what is wrong, and says what to do', async () => {
  const t = await ownEngine({ keepMs: 0 }, nothing);
  const product = await makeProduct(t);
  await held(t, product);
  await drained(t);
  await t.close();
  await t.sql('DROP TABLE rebuilds');
  await t.sql('DELETE FROM __drizzle_migrations ORDER BY id DESC LIMIT 1');
  await t.redis.xtrim(outboxKey(0), 'MAXLEN', 0);
  await t.sql('UPDATE lanes SET sequence = sequence - 1');
  const { code, of } = await checksOf(t);
  expect(code).toBe(1);
  expect(of('tables')).toMatchObject({ state: 'bad', advice: expect.stringContaining('migrate') });
  expect(of('lane 0')).toMatchObject({ advice: expect.stringContaining('--accept-mysql') });
});

test('doctor goes on with the rest when a server cannot be reached', async () => {
  const t = await ownEngine({}, nothing);
  const { code, stdout } = await holdfast(['doctor'], {
    REDIS_URL: 'redis://127.0.0.1:1',
    MYSQL_URL: t.mysqlUrl,
  });
  expect(code).toBe(1);
  expect(stdout).toMatch(/^bad +Redis +cannot use Redis at 127\.0\.0\.1:1/m);
  expect(stdout).toMatch(/^ok +tables/m);
});

test('outbox status tells how far MySQL is behind', async () => {
  const { t, product } = await undrainedEngine(nothing);
  await held(t, product);
  await held(t, product);
  const lane = await eventually(async () => {
    const { code, stdout } = await run(t, 'outbox', 'status', '--json');
    expect(code).toBe(1);
    return JSON.parse(stdout).lanes[0];
  });
  expect(lane).toMatchObject({
    ...{ lane: 0, state: 'open', position: '1-2', watermark: '1-0', backlog: 2 },
  });
  expect(lane.lag_ms).toBeGreaterThanOrEqual(LAG_MAX_MS);
  await t.drain(0);
  const after = await run(t, 'outbox', 'status');
  expect(after.code).toBe(0);
  expect(after.stdout).toMatch(/^ +0 +open +1-2 +1-2 +\d+ +0 +0$/m);
  await t.redis.hset(laneKey(0), 'epoch', '7');
  expect((await run(t, 'outbox', 'status')).code).toBe(1);
});
