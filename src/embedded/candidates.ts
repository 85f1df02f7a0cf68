import { join } from 'node:path';

export type ServerName = 'redis' | 'mysql';

/** Where a server may come from. */
export type Source = 'variable' | 'path' | 'docker' | 'packages';

/** All sources, in the order in which they are tried. */
export const SOURCES: readonly Source[] = ['variable', 'path', 'docker', 'packages'];

export type Candidate =
  | { source: 'variable'; variable: string; path: string }
  | { source: 'path'; path: string }
  | { source: 'docker'; image: string }
  | { source: 'packages'; packageName: string };

export interface ServerKind {
  variable: string;
  /** Names of the program, the best first. */
  programs: readonly string[];
  image: string;
  /** The package of Debian and Ubuntu with the program in it. */
  packageName: string;
  /** The oldest version that works, per flavour. */
  versionMin: Readonly<Record<string, string>>;
}

export const SERVER_KINDS: Readonly<Record<ServerName, ServerKind>> = {
  redis: {
    variable: 'REDIS_SERVER',
    programs: ['redis-server', 'valkey-server'],
    image: 'redis:8-alpine',
    packageName: 'redis-tools',
    // Scripts with a `#!lua` line came with Redis 7.0.
    versionMin: { Redis: '7.0.0', Valkey: '7.2.0' },
  },
  mysql: {
    variable: 'MYSQLD',
    programs: ['mariadbd', 'mysqld'],
    image: 'mysql:9.7',
    packageName: 'mariadb-server-core',
    versionMin: { MariaDB: '10.5.0', MySQL: '8.0.0' },
  },
};

// Servers are often installed where the PATH of an ordinary user does not look.
const SYSTEM_FOLDERS = ['/usr/sbin', '/usr/local/sbin', '/usr/libexec'];

/**
 * Where to look for a server, in order. A program named by REDIS_SERVER or MYSQLD is the only
 * candidate: who names one does not want another.
 */
export function candidatesOf(
  server: ServerName,
  env: Readonly<Record<string, string | undefined>>,
  sources: readonly Source[] = SOURCES,
): Candidate[] {
  const { variable, programs, image, packageName } = SERVER_KINDS[server];
  const named = env[variable];
  if (named !== undefined && named !== '' && sources.includes('variable')) {
    return [{ source: 'variable', variable, path: named }];
  }
  const onPath = (env.PATH ?? '').split(':').filter((folder) => folder.startsWith('/'));
  const folders = [...new Set([...onPath, ...SYSTEM_FOLDERS])];
  const paths = programs.flatMap((program) => folders.map((folder) => join(folder, program)));
  const all: Candidate[] = [
    ...paths.map((path) => ({ source: 'path' as const, path })),
    { source: 'docker', image },
    { source: 'packages', packageName },
  ];
  return all.filter((candidate) => sources.includes(candidate.source));
}
