import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import mysql, { type RowDataPacket } from 'mysql2/promise';
import { onTestFinished } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { readServersFile } from '../../src/embedded/registry.ts';
import { startEmbeddedServers } from '../../src/embedded/servers.ts';
import type { TestEngine } from './engine.ts';
import { HoldfastProcess } from './process.ts';

type Name = 'redis' | 'mysql';

/** Both servers of one test's own, to be stopped in their tracks, and a look past the engine. */
export interface PrivateServers extends Pick<TestEngine, 'redis' | 'sql' | 'config'> {
  redisUrl: string;
  mysqlUrl: string;
  /** SIGSTOP: it keeps its connections, takes what is sent, and does nothing. */
  freeze: (name: Name) => void;
  /** SIGCONT: it does all that was sent meanwhile. */
  thaw: (name: Name) => void;
  /** Starts `holdfast serve` on them, and returns it with its URL. */
  serve: (
    environment?: Record<string, string>,
  ) => Promise<{ url: string; process: HoldfastProcess }>;
}

export async function privateServers(): Promise<PrivateServers> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-private-'));
  const servers = await startEmbeddedServers({ dataDir: folder, say: () => {} });
  const { redisUrl, mysqlUrl } = servers;
  const file = await readServersFile(folder);
  const redis = new Redis(redisUrl);
  const pool = mysql.createPool({ uri: mysqlUrl, timezone: 'Z', supportBigNumbers: true });
  const signal = (name: Name, what: NodeJS.Signals) => {
    const pid = file?.[`${name}_pid`];
    if (!pid) throw new Error(`${name} runs in a container: nobody can stop it with a signal`);
    // Its whole group: where it is tethered by a shell, the server is that one's child.
    process.kill(-pid, what);
  };
  const started: HoldfastProcess[] = [];
  onTestFinished(async () => {
    signal('redis', 'SIGCONT');
    signal('mysql', 'SIGCONT');
    for (const serving of started) await serving.stop('SIGKILL');
    redis.disconnect();
    await pool.end();
    await servers.stop();
    await rm(folder, { recursive: true, force: true });
  });
  return {
    redisUrl,
    mysqlUrl,
    redis,
    config: readConfig({}),
    sql: async (text, values) => (await pool.query<RowDataPacket[]>(text, values))[0],
    freeze: (name) => signal(name, 'SIGSTOP'),
    thaw: (name) => signal(name, 'SIGCONT'),
    serve: async (environment = {}) => {
      const urls = { REDIS_URL: redisUrl, MYSQL_URL: mysqlUrl };
      const own = { ...urls, PORT: '0', LOG_LEVEL: 'warn', ADMIN_TOKEN: 'a-token-of-the-tests' };
      const serving = new HoldfastProcess(['serve'], { ...own, ...environment });
      started.push(serving);
      return { url: await serving.ready(), process: serving };
    },
  };
}
