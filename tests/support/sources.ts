import { SOURCES, type Source } from '../../src/embedded/candidates.ts';

/** Everything but Docker: for tests that look at the servers' processes and files. */
export const PROGRAMS: readonly Source[] = SOURCES.filter((source) => source !== 'docker');

/**
 * Where the servers of the tests come from: containers with TEST_SERVERS=docker, and what `npm start`
 * would take when it is unset. Throws at any other value.
 */
export function testSources(environment: NodeJS.ProcessEnv = process.env): readonly Source[] {
  const { TEST_SERVERS: wanted, TEST_REDIS_URL: redisUrl, TEST_MYSQL_URL: mysqlUrl } = environment;
  if (wanted === undefined || wanted === '') return SOURCES;
  if (wanted !== 'docker') {
    throw new Error(`TEST_SERVERS "${wanted}" is not valid: expected docker, or leave it unset`);
  }
  if (redisUrl || mysqlUrl) {
    throw new Error('set TEST_SERVERS=docker, or TEST_REDIS_URL and TEST_MYSQL_URL, but not both');
  }
  return ['docker'];
}
