import { PackageSource, packageCacheFolder } from '../../../src/embedded/debian.ts';
import { locate } from '../../../src/embedded/locate.ts';
import type { Program } from '../../../src/embedded/programs.ts';
import { PROGRAMS } from '../../support/sources.ts';

/** The server programs of a run. */
export interface Programs {
  redis: Program;
  mysql: Program;
}

/**
 * Finds the servers as `npm start` does, REDIS_SERVER and MYSQLD included. Never containers: they
 * could not be stopped with SIGSTOP, nor started on a copy of their data.
 */
export async function findPrograms(say: (line: string) => void): Promise<Programs> {
  const packages = new PackageSource(await packageCacheFolder(), say);
  const search = { say, packages, sources: PROGRAMS };
  try {
    const found = await Promise.all([locate('redis', search), locate('mysql', search)]);
    const [redis, mysql] = found.map((it) => (it.kind === 'program' ? it.program : undefined));
    if (!redis || !mysql) throw new Error('the fault runs need server programs');
    return { redis, mysql };
  } finally {
    await packages.close();
  }
}

/** "Redis 7.0.15", "MariaDB 10.11.14" */
export const programVersions = ({ redis, mysql }: Programs): Record<'redis' | 'mysql', string> => ({
  redis: `${redis.flavour} ${redis.version}`,
  mysql: `${mysql.flavour} ${mysql.version}`,
});

export const describePrograms = (programs: Programs): string =>
  Object.values(programVersions(programs)).join(', ');
