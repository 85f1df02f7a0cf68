import { expect, test } from 'vitest';
import { formatLetterId } from '../../src/domain/dead-letters.ts';
import { expectBooksBalance } from '../support/books.ts';
import { held } from '../support/buying.ts';
import { block, blockedPurchase, openLetters, unblock } from '../support/dead-letters.ts';
import { seconds, type TestEngine } from '../support/engine.ts';
import { holdfast } from '../support/process.ts';
import { undrainedEngine } from '../support/undrained.ts';

const nothing = async () => undefined;

const run = (t: TestEngine, ...args: string[]) =>
  holdfast(['dead-letters', ...args], { REDIS_URL: t.redisUrl, MYSQL_URL: t.mysqlUrl });

/** What a command prints for machines, and how it ended. */
async function json(t: TestEngine, ...args: string[]) {
  const { code, stdout, stderr } = await run(t, ...args, '--json');
  expect(stderr).toBe('');
  return { code, ...JSON.parse(stdout) };
}

test('dead letters are listed and shown', async () => {
  const { t, id } = await blockedPurchase();
  const ids = (await openLetters(t)).map(formatLetterId);
  const first = ids[0] ?? '';
  const hold = `hold_${id}`;
  const all = await json(t, 'list');
  expect(all).toMatchObject({ code: 1, open: 4 });
  expect(all.dead_letters.map((letter: { id: string }) => letter.id).sort()).toEqual(ids.sort());
  const list = await run(t, 'list');
  expect(list.code).toBe(1);
  expect(list.stdout).toMatch(new RegExp(`^${first} +\\S+ \\S+ +held +${hold}$`, 'm'));
  expect(list.stdout).toMatch(/^ +Duplicate entry/m);
  expect(Math.max(...list.stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);

  expect(await json(t, 'show', first)).toMatchObject({
    ...{ code: 0, id: first, kind: 'reservation', hold_id: hold, replayed_at: null },
    reason: expect.stringContaining('Duplicate entry'),
    units: [{ total: 0, available: -2, held: 2, pending: 0, sold: 0 }],
    transition: { from: 'none', to: 'held', items: [{ qty: 2 }], buyer: 'ann' },
  });
  const { stdout } = await run(t, 'show', first);
  expect(stdout).toMatch(/^why no row took it +Duplicate entry/m);
  expect(stdout).toMatch(/^items +2 of product \d+$/m);
  expect(stdout).toMatch(/^units of product \d+ +available -2, held \+2$/m);
});

test('what still blocks them is told; then they are replayed, once', async () => {
  const { t } = await blockedPurchase();
  const ids = (await openLetters(t)).map(formatLetterId);
  const first = ids[0] ?? '';
  expect(await json(t, 'replay', first)).toEqual({
    ...{ code: 1, replayed: [], made_again: [], missing_in_redis: [] },
    refused: [{ id: first, reason: expect.stringContaining('Duplicate entry') }],
  });
  await unblock(t);
  const replayed = await run(t, 'replay', first);
  expect(replayed.code).toBe(0);
  expect(replayed.stdout).toBe(ids.map((each) => `replayed ${each}\n`).join(''));
  const again = await run(t, 'replay', first);
  expect(again).toEqual({ code: 0, stdout: 'Nothing is left to replay.\n', stderr: '' });
  expect(await run(t, 'list')).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('no dead letter'),
  });
  expect((await run(t, 'list', '--all')).stdout).toMatch(/^ +replayed *$/m);
  await expectBooksBalance(t);
});

test('two that replay everything at once write it once; what does not fit is told', async () => {
  const { t, product } = await undrainedEngine(nothing);
  const holds = await Promise.all(Array.from({ length: 6 }, () => held(t, product)));
  for (const { id } of holds) await block(t, id);
  await t.drain(0);
  const [stuck] = holds;
  await t.sql('DELETE FROM holds WHERE id <> ?', [`hold_${stuck?.id}`]);
  const ends = await Promise.all([json(t, 'replay', '--all'), json(t, 'replay', '--all')]);
  expect(ends.flatMap(({ replayed }) => replayed)).toHaveLength(5);
  for (const { code, refused } of ends) {
    expect(refused).toMatchObject([{ reason: expect.stringContaining('Duplicate entry') }]);
    expect(code).toBe(1);
  }
  await unblock(t);
  expect(await run(t, 'replay', '--all')).toMatchObject({ code: 0 });
  await expectBooksBalance(t);
});

test('what a rebuild has left out of Redis is told, and what was made again', async () => {
  const { t, product } = await undrainedEngine(nothing);
  const { id } = await held(t, product);
  await block(t, id);
  await t.drain(0);
  await t.lanes.rebuild(0, false);
  await unblock(t);
  const { code, stdout } = await run(t, 'replay', '--all');
  expect(code).toBe(0);
  expect(stdout).toContain(`hold_${id}`);
  expect(stdout).toContain('holdfast reconcile --fix');

  const gone = await held(t, product);
  await t.drain(0);
  await t.sql('DELETE FROM holds WHERE id = ?', [`hold_${gone.id}`]);
  await t.engine.release(gone.id, seconds(2));
  await t.drain(0);
  const again = await run(t, 'replay', '--all');
  expect(again.stdout).toContain(`made again hold_${gone.id}: its row was gone`);
});

test('doctor tells of them', async () => {
  const { t, product } = await undrainedEngine(nothing);
  const { id } = await held(t, product);
  await block(t, id);
  await t.drain(0);
  const { code, stdout } = await holdfast(['doctor'], {
    REDIS_URL: t.redisUrl,
    MYSQL_URL: t.mysqlUrl,
  });
  expect(code).toBe(1);
  expect(stdout).toMatch(/^bad +dead letters +1 transition that MySQL did not take/m);
  expect(stdout).toContain('holdfast dead-letters list');
});

test('an unknown id is refused with exit code 1, what is no id with 2', async () => {
  const { t } = await undrainedEngine(nothing);
  for (const command of ['show', 'replay']) {
    const unknown = await run(t, command, '0.1-4711.0');
    expect(unknown.stderr).toBe(
      'holdfast: there is no dead letter 0.1-4711.0; see dead-letters list --all\n',
    );
    expect(unknown.code).toBe(1);
    for (const text of ['4711', '0.1-x.0']) {
      const malformed = await run(t, command, text);
      expect(malformed.stderr).toContain(`"${text}" is no id of a dead letter`);
      expect(malformed.code).toBe(2);
    }
  }
  expect((await run(t, 'replay')).code).toBe(2);
  expect((await run(t, 'replay', '0.1-4711.0', '--all')).code).toBe(2);
  const away = { REDIS_URL: 'redis://127.0.0.1:1', MYSQL_URL: 'mysql://root@127.0.0.1:1/none' };
  expect((await holdfast(['dead-letters', 'list'], away)).code).toBe(3);
});

test.for([
  ['dead-letters'],
  ['dead-letters', 'list'],
  ['dead-letters', 'show'],
  ['dead-letters', 'replay'],
])('%j --help teaches', async (args) => {
  const { code, stdout } = await holdfast([...args, '--help'], {});
  expect(code).toBe(0);
  expect(stdout).toContain('Usage: holdfast dead-letters');
  expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
});
