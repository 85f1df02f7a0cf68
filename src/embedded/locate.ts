import {
  type Candidate,
  candidatesOf,
  SERVER_KINDS,
  type ServerName,
  type Source,
} from './candidates.ts';
import type { PackageSource } from './debian.ts';
import { unusableDocker } from './docker-probe.ts';
import { inspectProgram, isConfined, isExecutable, type Program } from './programs.ts';
import { UnusableSetting } from './unusable.ts';

export type Found = { kind: 'program'; program: Program } | { kind: 'docker'; image: string };

export interface Search {
  sources?: readonly Source[];
  packages: PackageSource;
  say(line: string): void;
}

/** Finds a server: the first candidate that works. Throws, with what to install, when none does. */
export async function locate(server: ServerName, search: Search): Promise<Found> {
  const reasons: string[] = [];
  for (const candidate of candidatesOf(server, process.env, search.sources)) {
    const found = await consider(server, candidate, search);
    if (typeof found !== 'string') return found;
    if (found !== '') reasons.push(found);
  }
  throw new Error([`no ${server} server was found`, ...reasons, advice(server)].join('\n'));
}

/** The server, or why this candidate is none; an empty reason is not worth telling. */
async function consider(
  server: ServerName,
  candidate: Candidate,
  search: Search,
): Promise<Found | string> {
  switch (candidate.source) {
    case 'variable':
      return { kind: 'program', program: await named(server, candidate) };
    case 'path':
      return onPath(server, candidate.path, search);
    case 'docker':
      return inDocker(candidate.image, search);
    case 'packages':
      return search.packages.program(server, candidate.packageName).then(
        (program) => ({ kind: 'program', program }) as const,
        (error: unknown) => messageOf(error),
      );
  }
}

async function named(
  server: ServerName,
  { variable, path }: { variable: string; path: string },
): Promise<Program> {
  const problem = `${variable}=${path}`;
  if (!(await isExecutable(path))) {
    throw new UnusableSetting(`${problem} is missing or not executable`);
  }
  return inspectProgram(server, path).catch((error: unknown) => {
    throw new UnusableSetting(`${problem} does not work: ${messageOf(error)}`);
  });
}

async function onPath(server: ServerName, path: string, search: Search): Promise<Found | string> {
  if (!(await isExecutable(path))) return '';
  try {
    const program = await inspectProgram(server, path);
    if (!(await isConfined(path))) return { kind: 'program', program };
    return told(search, `${path} is not used: AppArmor keeps it in its own folders`);
  } catch (error) {
    return told(search, `${path} is not used: ${messageOf(error)}`);
  }
}

async function inDocker(image: string, search: Search): Promise<Found | string> {
  const reason = await unusableDocker(process.env);
  if (reason !== undefined) return reason;
  const { obtainImage } = await import('./docker.ts');
  try {
    await obtainImage(image, search.say);
    return { kind: 'docker', image };
  } catch (error) {
    return told(search, `Docker is not used for ${image}: ${messageOf(error)}`);
  }
}

function told(search: Search, reason: string): string {
  search.say(reason);
  return reason;
}

function advice(server: ServerName): string {
  const url = server === 'redis' ? 'REDIS_URL' : 'MYSQL_URL';
  return [
    'Do one of these:',
    '  apt-get install redis-server mariadb-server   (Debian, Ubuntu)',
    '  brew install redis mysql                      (macOS)',
    `  set ${SERVER_KINDS[server].variable} to the path of the server program`,
    `  set REDIS_URL and MYSQL_URL to running servers (${url} is missing)`,
  ].join('\n');
}

function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).trim();
}
