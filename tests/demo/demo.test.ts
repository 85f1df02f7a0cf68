import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import mysql, { type Connection, type RowDataPacket } from 'mysql2/promise';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readServersFile } from '../../src/embedded/registry.ts';
import { startEngine, type TestEngine } from '../support/engine.ts';
import { HoldfastProcess, holdfast } from '../support/process.ts';
import { eventually } from '../support/wait.ts';

const SMALL = ['demo', '--buyers', '200', '--seconds', '1', '--json'];

let folder: string;
let environment: Record<string, string>;
let serve: HoldfastProcess;
let url: string;
let connection: Connection;
/** On servers of its own. */
let engine: TestEngine;

async function rows(sql: string, values: unknown[] = []): Promise<RowDataPacket[]> {
  return (await connection.query<RowDataPacket[]>(sql, values))[0];
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-demo-'));
  environment = { DATA_DIR: join(folder, 'serve'), PORT: '0', LOG_LEVEL: 'warn' };
  serve = new HoldfastProcess(['serve'], environment);
  url = await serve.ready();
  const servers = await readServersFile(environment.DATA_DIR ?? '');
  expect(servers?.http_url).toBe(url);
  engine = await startEngine();
  connection = await mysql.createConnection({ uri: servers?.mysql_url ?? '' });
});

afterAll(async () => {
  await connection.end();
  await engine.stop();
  await serve.stop();
  await rm(folder, { recursive: true, force: true });
});

const BALANCED = { ok: true, oversold: 0, drift: 0, lost: 0, doubled: 0, unfinished: 0 };

const SLOW = { timeout: 60_000 };

// Each mostly waits for units to come back, so they run at once.
test.concurrent(
  'a sale at the running Holdfast balances, and its rows say what the JSON says',
  SLOW,
  async () => {
    const { code, stdout, stderr } = await holdfast([...SMALL, '--stock', '20'], environment);
    expect(stderr).toBe('');
    const report = JSON.parse(stdout);
    expect(report).toMatchObject({ ...BALANCED, buyers: 200, stock: 20, seed: 1, findings: [] });
    expect(code).toBe(0);
    expect(report.refused + report.unserved + report.holds.granted).toBe(200);
    expect(report.holds_per_second).toBeGreaterThan(0);
    expect(report.p50_ms).toBeGreaterThan(0);
    expect(report.p99_ms).toBeGreaterThanOrEqual(report.p50_ms);
    const [stock] = await rows(
      'SELECT sold, total, held, pending FROM stock WHERE product_id = ?',
      [report.product_id],
    );
    expect(stock).toEqual({ sold: report.sold, total: 20, held: 0, pending: 0 });
    const [paid] = await rows(
      `SELECT COUNT(*) AS orders FROM orders o JOIN hold_items i ON i.hold_id = o.hold_id
      WHERE i.product_id = ? AND o.state = 'paid'`,
      [report.product_id],
    );
    expect(paid?.orders).toBe(report.paid);
    expect(report.paid).toBeGreaterThan(0);
    const { applied, applied_paid, applied_failed } = report.payment_events;
    expect(applied).toBe(applied_paid + applied_failed);
    const [product] = await rows('SELECT status FROM products WHERE id = ?', [report.product_id]);
    expect(product?.status).toBe('paused');
  },
);

test.concurrent(
  'books that somebody tampered with end with exit code 1 and say where',
  SLOW,
  async () => {
    const demo = holdfast([...SMALL, '--stock', '21'], environment);
    const id = await eventually(async () => {
      const [product] = await rows('SELECT id FROM products WHERE initial_stock = 21');
      if (!product) throw new Error('the demo has not made its product yet');
      return product.id;
    });
    await rows("INSERT INTO holds (id, state, version) VALUES ('hold_planted', 'held', 1)");
    await rows("INSERT INTO hold_items VALUES ('hold_planted', ?, 2, 4900)", [id]);
    const { code, stdout } = await demo;
    expect(JSON.parse(stdout)).toMatchObject({ ok: false, drift: 4, unfinished: 1 });
    expect(stdout).toContain('units held differ: Redis 0');
    expect(code).toBe(1);
  },
);

test.concurrent(
  'where none runs it starts one, tells people how it went, and leaves nothing',
  SLOW,
  async () => {
    const own = { DATA_DIR: join(folder, 'own') };
    const args = ['demo', '--buyers', '60', '--stock', '10', '--seconds', '0'];
    const { code, stdout, stderr } = await holdfast(args, own);
    expect(stderr).toContain('this process sells at http://127.0.0.1:');
    expect(stderr).toMatch(/product \d+ is paused/);
    expect(stdout).toContain('60 buyers');
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(stdout).toMatch(/✓ oversold +0/);
    expect(stdout).toMatch(/✓ drift +0/);
    expect(stdout).toContain('The books balance.');
    expect(stdout).not.toContain('\u001b');
    expect(code).toBe(0);
    expect(await readServersFile(own.DATA_DIR)).toBeUndefined();
  },
);

test.concurrent(
  'Ctrl-C under npm, which is heard twice, says that there was no audit',
  SLOW,
  async () => {
    const args = ['demo', '--buyers', '200', '--stock', '22'];
    const demo = new HoldfastProcess(args, environment);
    await eventually(() =>
      expect(demo.stderr).toContain(`selling at the Holdfast that runs at ${url}`),
    );
    demo.child.kill('SIGINT');
    const { code, stderr } = await demo.stop('SIGINT');
    expect(stderr).toContain('no audit was made');
    expect(code).toBe(130);
  },
);

test.concurrent(
  'a shop that is not there, or that uses other servers, is named',
  SLOW,
  async () => {
    const nowhere = await holdfast([...SMALL, '--url', 'http://127.0.0.1:1'], environment);
    expect(nowhere.stderr).toContain('no Holdfast answers at http://127.0.0.1:1');
    expect(nowhere.code).toBe(3);

    const elsewhere = { REDIS_URL: engine.redisUrl, MYSQL_URL: engine.mysqlUrl };
    const wrong = await holdfast([...SMALL, '--url', url], elsewhere);
    expect(wrong.stderr).toContain(`the Holdfast at ${url} uses other servers`);
    expect(wrong.code).toBe(2);
  },
);

test.concurrent.for([
  ['--buyers', '0', 'from 1 to'],
  ['--stock', 'many', 'Expected a whole number'],
  ['--seed', '-1', 'Expected a whole number'],
  ['--url', 'localhost:3000', 'Expected a URL such as'],
])('%s %s is refused, with what is expected', async ([option, value, expected]) => {
  const { code, stderr } = await holdfast(['demo', `${option}=${value}`], environment);
  expect(stderr).toContain(expected);
  expect(code).toBe(2);
});
