import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, inject, test } from 'vitest';
import { AuditFailed, mustBe } from '../../bench/contenders/contender.ts';
import { machineReadable, markdown, verdict } from '../../bench/report.ts';
import { median } from '../../bench/rounds.ts';

const main = fileURLToPath(new URL('../../bench/main.ts', import.meta.url));

async function bench(args: string[]) {
  const child = spawn(process.execPath, ['--import', 'tsx', main, ...args], {
    env: { ...process.env, REDIS_URL: inject('redisUrl'), MYSQL_URL: inject('mysqlUrl') },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (text) => {
    stdout += text;
  });
  child.stderr.on('data', (text) => {
    stderr += text;
  });
  const [code] = await once(child, 'close');
  return { code, stdout, stderr };
}

test('a short run measures every contender and finds what it sold in both stores', {
  timeout: 60_000,
}, async () => {
  const short = ['--seconds', '0.3', '--rounds', '1', '--connections', '8'];
  const contenders = ['--contenders', 'bare,row lock,Holdfast'];
  const { code, stdout, stderr } = await bench([
    ...['--only', 'holds,sold-out,reads', '--json'],
    ...short,
    ...contenders,
  ]);
  expect(code, stderr).toBe(0);
  const { holds, reads, 'sold-out': soldOut } = JSON.parse(stdout);
  const namesOf = (report: { json: { name: string }[] }) => report.json.map(({ name }) => name);
  expect(namesOf(holds)).toEqual(['bare', 'row lock', 'Holdfast']);
  expect(namesOf(soldOut)).toEqual(['bare', 'row lock', 'Holdfast']);
  expect(namesOf(reads)).toEqual(['bare', 'Holdfast']);
  for (const { medians } of holds.json) expect(medians.perSecond).toBeGreaterThan(0);
  expect(holds.rows.map((row: { name: string }) => row.name)).toEqual([
    'bare',
    'row lock',
    'Holdfast',
  ]);
  for (const row of holds.rows) expect(row['answers/s']).toBeGreaterThan(0);
});

test('a short run sends keys and orders once each, and compares orders with the row lock', {
  timeout: 60_000,
}, async () => {
  const short = ['--seconds', '0.2', '--rounds', '1', '--connections', '8'];
  const contenders = ['--contenders', 'bare,row lock,Holdfast'];
  const { code, stdout, stderr } = await bench([
    ...['--only', 'keyed,orders', '--json'],
    ...short,
    ...contenders,
  ]);
  expect(code, stderr).toBe(0);
  const { keyed, orders } = JSON.parse(stdout);
  expect(keyed.rows.map((row: { name: string }) => row.name)).toEqual(['bare', 'Holdfast']);
  expect(orders.rows.map((row: { name: string }) => row.name)).toEqual(['row lock', 'Holdfast']);
  for (const row of [...keyed.rows, ...orders.rows]) expect(row['answers/s']).toBeGreaterThan(0);
});

test('a short run has listeners to live stock, who all hear of the last change', {
  timeout: 60_000,
}, async () => {
  const short = ['--seconds', '0.5', '--rounds', '1', '--connections', '4', '--listeners', '50'];
  const { code, stdout, stderr } = await bench(['--only', 'stream', '--json', ...short]);
  expect(code, stderr).toBe(0);
  const { json } = JSON.parse(stdout).stream;
  expect(json.listeners).toBe(50);
  for (const { steady, busy, besidePerSecond } of json.rounds) {
    expect(steady.events).toBeGreaterThan(0);
    expect(busy.events).toBeGreaterThan(0);
    expect(besidePerSecond).toBeGreaterThan(0);
  }
});

test('a small share of two large tables is measured and audited as they are', {
  timeout: 120_000,
}, async () => {
  // The others take their holds in the same ways.
  const large = 'flash-sale,due-at-once';
  const short = ['--seconds', '0.3', '--rounds', '1', '--connections', '8', '--scale', '0.01'];
  const contenders = ['--contenders', 'Holdfast'];
  const { code, stdout, stderr } = await bench([
    ...['--only', large, '--json'],
    ...short,
    ...contenders,
  ]);
  expect(code, stderr).toBe(0);
  const reports = JSON.parse(stdout);
  for (const name of large.split(',')) {
    expect(reports[name].rows.length, name).toBeGreaterThan(0);
    for (const { measured } of reports[name].targets) expect(measured, name).not.toBeNull();
  }
  const { seconds, accepted, stock } = reports['flash-sale'].json;
  expect(accepted).toBe(stock);
  expect(seconds.at(-1).statuses).toEqual({ 409: seconds.at(-1).answers });
});

test('a wrong option is wrong usage, and says what is expected', async () => {
  const { code, stderr } = await bench(['--only', 'nonsense']);
  expect(code).toBe(2);
  expect(stderr).toContain('holds');
});

test('an audit fails on one row too many and on one too few', () => {
  expect(() => mustBe('it', { persisted: 3 }, { persisted: 4 })).toThrow(AuditFailed);
  expect(() => mustBe('it', { persisted: 5 }, { persisted: 4 })).toThrow(AuditFailed);
  expect(() => mustBe('it', {}, { persisted: 4 })).toThrow(AuditFailed);
  mustBe('it', { persisted: '4' }, { persisted: 4 });
});

test('a target says by how much it is missed', () => {
  const target = { what: 'holds', unit: 'x' };
  expect(verdict({ ...target, measured: 12, atLeast: 10 })).toBe('reached');
  expect(verdict({ ...target, measured: 8, atLeast: 10 })).toBe('short by 20%');
  expect(verdict({ ...target, measured: 1.5, atMost: 1.5 })).toBe('reached');
  expect(verdict({ ...target, measured: 1.8, atMost: 1.5 })).toBe('over by 20%');
});

test('the median of an even number of rounds lies between the middle two', () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 2, 3])).toBe(2.5);
});

test('a report for machines has numbers, and null where nothing was measured', () => {
  const head = ['', 'answers/s', 'x bare'];
  const rows = [['bare', '26,288', '-']];
  const report = { title: 'Holds', notes: [], head, rows, targets: [], json: {} };
  expect(machineReadable(report)).toMatchObject({
    rows: [{ name: 'bare', 'answers/s': 26_288, 'x bare': null }],
  });
});

test('a report is a table in Markdown', () => {
  const text = markdown({
    title: 'Holds',
    notes: [],
    head: ['', 'answers/s'],
    rows: [['bare', '1']],
    targets: [{ what: 'speed', measured: 2, atLeast: 1, unit: 'x' }],
    json: {},
  });
  expect(text).toContain('### Holds\n\n|  | answers/s |\n| --- | ---: |\n| bare | 1 |');
  expect(text).toContain('| speed | >= 1 x | 2.00 x | reached |');
});
