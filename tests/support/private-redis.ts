import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { PackageSource, packageCacheFolder } from '../../src/embedded/debian.ts';
import { locate } from '../../src/embedded/locate.ts';
import { startRedis } from '../../src/embedded/redis-server.ts';
import type { ServerContext, StartedServer } from '../../src/embedded/server-context.ts';
import { testSources } from './sources.ts';

const say = () => undefined;

/** A Redis of this test's own, to be set, stopped and started at will. */
export interface PrivateRedis {
  /** Starts it on the data that it had, and returns its URL. */
  start: (...settings: string[]) => Promise<string>;
  stop: () => Promise<void>;
}

type Starter = (context: ServerContext) => Promise<StartedServer>;

async function findRedis(): Promise<Starter> {
  const packages = new PackageSource(await packageCacheFolder(), say);
  const found = await locate('redis', { say, packages, sources: testSources() });
  await packages.close();
  if (found.kind === 'program') return (context) => startRedis(context, found.program);
  const { startRedisContainer } = await import('../../src/embedded/docker.ts');
  return (context) => startRedisContainer(context, found.image);
}

export async function privateRedis(): Promise<PrivateRedis> {
  const dataDir = await mkdtemp(join(tmpdir(), 'holdfast-redis-'));
  const startServer = await findRedis();
  let stop = async () => {};
  onTestFinished(async () => {
    await stop();
    await rm(dataDir, { recursive: true, force: true, maxRetries: 5 });
  });
  return {
    start: async (...redisArguments) => {
      const context = { dataDir, redisArguments, say, started: async () => undefined };
      const server = await startServer(context);
      stop = () => server.stop();
      return server.url;
    },
    stop: () => stop(),
  };
}
