import { expect, it } from 'vitest';
import { SOURCES } from '../../src/embedded/candidates.ts';
import { testSources } from '../support/sources.ts';

it('TEST_SERVERS=docker takes containers, and unset what npm start would take', () => {
  expect(testSources({ TEST_SERVERS: 'docker' })).toEqual(['docker']);
  expect(testSources({})).toEqual(SOURCES);
  expect(testSources({ TEST_SERVERS: '' })).toEqual(SOURCES);
});

it('another TEST_SERVERS is refused with its name, its value and what is expected', () => {
  expect(() => testSources({ TEST_SERVERS: 'podman' })).toThrow(
    'TEST_SERVERS "podman" is not valid: expected docker',
  );
});

it('TEST_SERVERS and servers by URL contradict each other', () => {
  const both = { TEST_SERVERS: 'docker', TEST_REDIS_URL: 'redis://x', TEST_MYSQL_URL: 'mysql://x' };
  expect(() => testSources(both)).toThrow('but not both');
});
