import { constants } from 'node:fs';
import { access, mkdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { ServerName, Source } from './candidates.ts';
import { type DataDirLock, lockDataDir } from './data-dir-lock.ts';
import { PackageSource, packageCacheFolder } from './debian.ts';
import { type Found, locate } from './locate.ts';
import { startMysql } from './mysql-server.ts';
import { startRedis } from './redis-server.ts';
import { removeServersFile, writeServersFile } from './registry.ts';
import type { ServerContext, StartedServer } from './server-context.ts';
import { UnusableSetting } from './unusable.ts';

/** Private Redis and MySQL servers that belong to this process. */
export interface EmbeddedServers {
  redisUrl: string;
  /** With a user that may create other databases. */
  mysqlUrl: string;
  redis: { description: string };
  mysql: { description: string };
  /** Stops both and gives the data folder free. Safe to call twice. */
  stop(): Promise<void>;
}

export interface EmbeddedOptions {
  /** Where the data is kept, made when it is missing. */
  dataDir: string;
  /** Told, in one line, about everything that takes time. */
  say: (line: string) => void;
  redisArguments?: string[];
  /** Restricts where the servers may come from; all sources when it is missing. */
  sources?: readonly Source[];
  /** Told when a server ends that nobody stopped. */
  onExit?: (name: ServerName, how: string) => void;
}

/**
 * Starts both servers on 127.0.0.1, on free ports, with their data in the folder, and resolves when
 * both answer. They stop with `stop()` and, at the latest, with this process, whatever ends it.
 * Throws when another process uses the folder, when no server can be found, or with the log's end
 * when one does not start. Takes about a second; some seconds at the first start in a folder.
 */
export async function startEmbeddedServers(options: EmbeddedOptions): Promise<EmbeddedServers> {
  const dataDir = resolve(options.dataDir);
  await makeDataDir(dataDir);
  const lock = await lockDataDir(dataDir, options.say);
  try {
    await removeServersFile(dataDir);
    const servers = await startBoth(options, dataDir, lock);
    try {
      return await published(options, dataDir, lock, servers);
    } catch (error) {
      await stopAll(Object.values(servers));
      throw error;
    }
  } catch (error) {
    await lock.release();
    throw error;
  }
}

async function makeDataDir(dataDir: string): Promise<void> {
  try {
    await mkdir(dataDir, { recursive: true });
    await access(dataDir, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new UnusableSetting(`DATA_DIR cannot be used: ${(error as Error).message}`);
  }
}

interface Both {
  redis: StartedServer;
  mysql: StartedServer;
}

async function startBoth(
  options: EmbeddedOptions,
  dataDir: string,
  lock: DataDirLock,
): Promise<Both> {
  const found = await locateBoth(options);
  const context = contextOf(options, dataDir, lock);
  const [redis, mysql] = await Promise.allSettled([
    startOne(context, 'redis', found.redis),
    startOne(context, 'mysql', found.mysql),
  ]);
  if (redis.status === 'fulfilled' && mysql.status === 'fulfilled') {
    return { redis: redis.value, mysql: mysql.value };
  }
  const outcomes = [redis, mysql];
  await stopAll(outcomes.flatMap((it) => (it.status === 'fulfilled' ? [it.value] : [])));
  const errors = outcomes.flatMap((it) => (it.status === 'rejected' ? [it.reason as Error] : []));
  const [first, second] = errors;
  if (first && !second) throw first;
  throw new Error(errors.map((error) => error.message).join('\n'), { cause: first });
}

async function locateBoth(options: EmbeddedOptions): Promise<Record<ServerName, Found>> {
  const { say, sources } = options;
  const packages = new PackageSource(await packageCacheFolder(), say);
  const search = { say, packages, ...(sources ? { sources } : {}) };
  try {
    const [redis, mysql] = await Promise.all([locate('redis', search), locate('mysql', search)]);
    return { redis, mysql };
  } finally {
    await packages.close();
  }
}

function contextOf(options: EmbeddedOptions, dataDir: string, lock: DataDirLock): ServerContext {
  const pids: number[] = [];
  let recorded = Promise.resolve();
  return {
    dataDir,
    redisArguments: options.redisArguments ?? [],
    say: options.say,
    started(pid) {
      pids.push(pid);
      // One after the other: each write replaces the whole file.
      recorded = recorded.then(() => lock.record(pids));
      return recorded;
    },
  };
}

async function startOne(
  context: ServerContext,
  server: ServerName,
  found: Found,
): Promise<StartedServer> {
  if (found.kind === 'program') {
    const start = server === 'redis' ? startRedis : startMysql;
    return start(context, found.program);
  }
  const docker = await import('./docker.ts');
  const start = server === 'redis' ? docker.startRedisContainer : docker.startMysqlContainer;
  return start(context, found.image);
}

async function published(
  options: EmbeddedOptions,
  dataDir: string,
  lock: DataDirLock,
  { redis, mysql }: Both,
): Promise<EmbeddedServers> {
  await writeServersFile(dataDir, {
    redis_url: redis.url,
    mysql_url: mysql.url,
    redis_pid: redis.pid,
    mysql_pid: mysql.pid,
  });
  let stopping: Promise<void> | undefined;
  const stop = async () => {
    await stopAll([redis, mysql]);
    await removeServersFile(dataDir);
    await lock.release();
  };
  const watch = async (name: ServerName, server: StartedServer) => {
    const how = await server.exited;
    if (!stopping) options.onExit?.(name, how);
  };
  void watch('redis', redis);
  void watch('mysql', mysql);
  return {
    redisUrl: redis.url,
    mysqlUrl: mysql.url,
    redis: { description: redis.description },
    mysql: { description: mysql.description },
    stop: () => {
      stopping ??= stop();
      return stopping;
    },
  };
}

async function stopAll(servers: readonly StartedServer[]): Promise<void> {
  await Promise.allSettled(servers.map((server) => server.stop()));
}
