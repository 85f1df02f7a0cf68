import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { startEmbeddedServers } from '../../src/embedded/servers.ts';
import { testSources } from './sources.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    redisUrl: string;
    /** Its user may create databases: each test makes its own. */
    mysqlUrl: string;
  }
}

/**
 * Vitest's global set-up: the servers for all tests of a run, either those of TEST_REDIS_URL and
 * TEST_MYSQL_URL or private ones in a temporary folder, in containers with TEST_SERVERS=docker. Tests
 * read `inject('redisUrl')` and `inject('mysqlUrl')`.
 */
export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const sources = testSources();
  const { TEST_REDIS_URL: redisUrl, TEST_MYSQL_URL: mysqlUrl } = process.env;
  if (redisUrl && mysqlUrl) {
    project.provide('redisUrl', redisUrl);
    project.provide('mysqlUrl', mysqlUrl);
    return async () => undefined;
  }
  if (redisUrl || mysqlUrl) {
    throw new Error('set both TEST_REDIS_URL and TEST_MYSQL_URL, or neither for private servers');
  }
  const dataDir = await mkdtemp(join(tmpdir(), 'holdfast-tests-'));
  const remove = () => rm(dataDir, { recursive: true, force: true });
  try {
    const say = (line: string) => process.stderr.write(`${line}\n`);
    const servers = await startEmbeddedServers({ dataDir, say, sources });
    say(`tests run on ${servers.redis.description} and ${servers.mysql.description}`);
    project.provide('redisUrl', servers.redisUrl);
    project.provide('mysqlUrl', servers.mysqlUrl);
    return async () => {
      await servers.stop();
      await remove();
    };
  } catch (error) {
    await remove();
    throw error;
  }
}
