import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { Redis } from 'ioredis';
import mysql, { type Connection, type RowDataPacket } from 'mysql2/promise';
import { readServersFile } from '../src/embedded/registry.ts';
import { startEmbeddedServers } from '../src/embedded/servers.ts';
import { parseInfo } from '../src/redis/client.ts';

/** An empty database of each server, dropped when it is closed. */
export interface Stores {
  redisUrl: string;
  mysqlUrl: string;
  /** The bench's own connections, to look past the API under load. */
  redis: Redis;
  mysql: Connection;
  close: () => Promise<void>;
}

/** Redis and MySQL for a whole run. */
export interface Servers {
  versions: { redis: string; mysql: string };
  stores: () => Promise<Stores>;
  /** CPU time so far, in microseconds; undefined where it cannot be known. */
  redisCpuUs: () => Promise<number>;
  mysqlCpuUs: () => Promise<number | undefined>;
  stop: () => Promise<void>;
}

/** Linux counts processor time in hundredths of a second, whatever the machine. */
const US_PER_TICK = 10_000;

async function processCpuUs(pid: number | undefined): Promise<number | undefined> {
  if (pid === undefined) return undefined;
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  // The name of the program, in parentheses, may have spaces; user and system time are the 14th
  // and 15th fields of proc(5).
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields && (Number(fields[11]) + Number(fields[12])) * US_PER_TICK;
}

/** Redis has 16 databases unless told otherwise. The last ones are the least likely to be used. */
const REDIS_DATABASES = [15, 14, 13, 12, 11, 10, 9, 8, 7, 6];

// Taken ones are kept in `taken`. What is not empty is somebody else's.
async function emptyRedis(redisUrl: string, taken: Set<number>): Promise<[string, Redis, number]> {
  for (const database of REDIS_DATABASES.filter((it) => !taken.has(it))) {
    taken.add(database);
    const url = new URL(`/${database}`, redisUrl).href;
    const redis = new Redis(url);
    if ((await redis.dbsize()) === 0) return [url, redis, database];
    redis.disconnect();
  }
  throw new Error(`no Redis database is empty among ${REDIS_DATABASES.join(', ')}`);
}

async function openStores(redisUrl: string, mysqlUrl: string, taken: Set<number>): Promise<Stores> {
  const name = `bench_${randomUUID().replaceAll('-', '').slice(0, 16)}`;
  const [ownRedisUrl, redis, database] = await emptyRedis(redisUrl, taken);
  const admin = await mysql.createConnection({ uri: mysqlUrl });
  await admin.query(`CREATE DATABASE ${name}`);
  const ownMysqlUrl = mysqlUrl.replace(/\/[^/]*$/, `/${name}`);
  const connection = await mysql.createConnection({ uri: ownMysqlUrl, supportBigNumbers: true });
  return {
    redisUrl: ownRedisUrl,
    mysqlUrl: ownMysqlUrl,
    redis,
    mysql: connection,
    close: async () => {
      await connection.end();
      await admin.query(`DROP DATABASE ${name}`);
      await admin.end();
      await redis.flushdb();
      redis.disconnect();
      taken.delete(database);
    },
  };
}

async function versionsOf(redis: Redis, mysqlUrl: string): Promise<Servers['versions']> {
  const info = parseInfo(await redis.info('server'));
  const valkey = info.get('valkey_version');
  const connection = await mysql.createConnection({ uri: mysqlUrl });
  const [rows] = await connection.query<RowDataPacket[]>('SELECT VERSION() AS version');
  await connection.end();
  const version = String(rows[0]?.version);
  return {
    redis: valkey ? `Valkey ${valkey}` : `Redis ${info.get('redis_version')}`,
    mysql: version.includes('MariaDB') ? `MariaDB ${version.split('-')[0]}` : `MySQL ${version}`,
  };
}

/** The servers of REDIS_URL and MYSQL_URL, or private ones with their data in the folder. */
export async function openServers(dataDir: string, say: (line: string) => void): Promise<Servers> {
  const { REDIS_URL, MYSQL_URL } = process.env;
  const embedded =
    REDIS_URL && MYSQL_URL ? undefined : await startEmbeddedServers({ dataDir, say });
  const redisUrl = embedded?.redisUrl ?? String(REDIS_URL);
  const mysqlUrl = embedded?.mysqlUrl ?? String(MYSQL_URL);
  const pid = embedded && (await readServersFile(dataDir))?.mysql_pid;
  const redis = new Redis(redisUrl);
  const taken = new Set<number>();
  return {
    versions: await versionsOf(redis, mysqlUrl),
    stores: () => openStores(redisUrl, mysqlUrl, taken),
    redisCpuUs: async () => {
      const cpu = parseInfo(await redis.info('cpu'));
      const seconds = Number(cpu.get('used_cpu_user')) + Number(cpu.get('used_cpu_sys'));
      return Math.round(seconds * 1e6);
    },
    mysqlCpuUs: () => processCpuUs(pid ?? undefined),
    stop: async () => {
      redis.disconnect();
      await embedded?.stop();
    },
  };
}
