import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type EmbeddedServers, startEmbeddedServers } from '../../src/embedded/servers.ts';
import { holdfast } from '../support/process.ts';

let folder: string;
let servers: EmbeddedServers;
let urls: { REDIS_URL: string; MYSQL_URL: string };

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-refusals-'));
  servers = await startEmbeddedServers({ dataDir: folder, say: () => {} });
  urls = { REDIS_URL: servers.redisUrl, MYSQL_URL: servers.mysqlUrl };
}, 60_000);

afterAll(async () => {
  await servers.stop();
  await rm(folder, { recursive: true, force: true });
});

test.for([
  ['PORT', '99999', 'a port number'],
  ['LANES', '0', 'a whole number from 1 to 4096'],
  ['HOLD_TTL_SECONDS', '2m', 'whole seconds'],
  ['ROLES', 'api,reader', 'a comma-separated list of api, writer'],
  ['REDIS_URL', 'localhost:6379', 'a URL such as redis://'],
  ['LOG_LEVEL', 'loud', 'one of fatal'],
  ['RATE_LIMIT', '5/s', 'a whole number of requests'],
  ['RATE_LIMIT_SECONDS', '0', 'whole seconds from 1 to 60'],
  ['RATE_LIMIT_BY', 'ip', 'address or buyer'],
  ['TRUSTED_PROXY_HOPS', '17', 'a whole number of proxies from 0 to 16'],
  ['DATA_DIR', '/dev/null', 'cannot be used'],
  ['REDIS_SERVER', '/bin/true', 'is no redis server'],
  ['MYSQLD', '/nowhere/mysqld', 'is missing or not executable'],
])('%s=%s stops the start with its name and what is expected', async ([name, value, expected]) => {
  const environment = { DATA_DIR: join(folder, 'refused'), [name ?? '']: value ?? '' };
  const { code, stderr } = await holdfast(['serve'], environment);
  expect(code).toBe(2);
  expect(stderr).toContain(name);
  expect(stderr).toContain(expected);
});

test('one server URL without the other is refused', async () => {
  const { code, stderr } = await holdfast(['serve'], { REDIS_URL: 'redis://127.0.0.1:6379' });
  expect(code).toBe(2);
  expect(stderr).toContain('MYSQL_URL is not set');
});

test('a HOST that this machine does not have is refused', async () => {
  const host = { HOST: '192.0.2.1', PORT: '0' };
  const { code, stderr } = await holdfast(['serve'], { ...urls, ...host });
  expect(stderr).toContain('HOST "192.0.2.1" is not valid');
  expect(code).toBe(2);
});

test('a port in use is named, with what to set', async () => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  const { port } = taken.address() as AddressInfo;
  try {
    const { code, stderr } = await holdfast(['serve'], { ...urls, PORT: String(port) });
    expect(code).toBe(1);
    expect(stderr).toContain(String(port));
    expect(stderr).toContain('set PORT');
  } finally {
    taken.close();
  }
});

test('a Redis that may evict keys is refused, with the reason', async () => {
  const redis = new Redis(servers.redisUrl);
  try {
    await redis.config('SET', 'maxmemory-policy', 'allkeys-lru');
    const { code, stderr } = await holdfast(['serve'], { ...urls, PORT: '0' });
    expect(code).toBe(1);
    expect(stderr).toContain('allkeys-lru');
    expect(stderr).toContain('noeviction');
  } finally {
    await redis.config('SET', 'maxmemory-policy', 'noeviction');
    redis.disconnect();
  }
});

test('unreachable servers end with exit code 3', async () => {
  const unreachable = {
    REDIS_URL: 'redis://127.0.0.1:1',
    MYSQL_URL: 'mysql://holdfast:holdfast@127.0.0.1:1/holdfast',
  };
  for (const [args, variable] of [
    [['serve'], 'MYSQL_URL'],
    [['migrate'], 'MYSQL_URL'],
    [['product', 'list'], 'REDIS_URL'],
  ] as const) {
    const { code, stderr } = await holdfast([...args], unreachable);
    expect(stderr).toContain(`127.0.0.1:1 (${variable})`);
    expect(code).toBe(3);
  }
});

test('a command without a running Holdfast says how to get one, with exit code 3', async () => {
  const { code, stderr } = await holdfast(['product', 'list'], { DATA_DIR: join(folder, 'empty') });
  expect(code).toBe(3);
  expect(stderr).toContain('npm start');
});
