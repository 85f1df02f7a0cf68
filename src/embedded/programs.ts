import { execFile } from 'node:child_process';
import { constants, realpathSync } from 'node:fs';
import { access, readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { SERVER_KINDS, type ServerName } from './candidates.ts';

export type Flavour = 'Redis' | 'Valkey' | 'MariaDB' | 'MySQL';

/** A server program that runs on this machine. */
export interface Program {
  path: string;
  flavour: Flavour;
  /** "10.11.14" */
  version: string;
  /** For this program only, in addition to the process's own. */
  environment: Record<string, string>;
}

const VERSION_MS_MAX = 10_000;

export async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** Runs `--version`. Throws, saying why, when the program is broken, another one or too old. */
export async function inspectProgram(
  server: ServerName,
  path: string,
  environment: Record<string, string> = {},
): Promise<Program> {
  const { stdout } = await promisify(execFile)(path, ['--version'], {
    timeout: VERSION_MS_MAX,
    env: { ...process.env, ...environment },
  });
  const found = server === 'redis' ? parseRedisVersion(stdout) : parseMysqlVersion(stdout);
  const [said = ''] = stdout.trim().split('\n');
  if (!found) throw new Error(`${path} is no ${server} server: ${said}`);
  const versionMin = SERVER_KINDS[server].versionMin[found.flavour] ?? '0';
  if (compareVersions(found.version, versionMin) < 0) {
    const needed = `${found.flavour} ${versionMin} or newer is needed`;
    throw new Error(`${path} is ${found.flavour} ${found.version}: ${needed}`);
  }
  return { path, ...found, environment };
}

function parseRedisVersion(text: string): { flavour: Flavour; version: string } | undefined {
  const [, name, version] = /(redis|valkey) server v=(\d+\.\d+\.\d+)/i.exec(text) ?? [];
  if (name === undefined || version === undefined) return undefined;
  return { flavour: name.toLowerCase() === 'valkey' ? 'Valkey' : 'Redis', version };
}

function parseMysqlVersion(text: string): { flavour: Flavour; version: string } | undefined {
  // "mysqld  Ver 10.11.14-MariaDB-0+deb12u2 for ...": the path before "Ver" tells nothing.
  const [, version, suffix] = /\bVer (\d+\.\d+\.\d+)(\S*)/.exec(text) ?? [];
  if (version === undefined) return undefined;
  return { flavour: suffix?.includes('MariaDB') ? 'MariaDB' : 'MySQL', version };
}

/** Negative when `a` is older than `b`. Missing parts count as 0. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [a.split('.').map(Number), b.split('.').map(Number)];
  for (let i = 0; i < Math.max(left.length, right.length); i += 1) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/**
 * Tells whether the distribution's AppArmor profile keeps a server in its own folders, as Ubuntu
 * does with /usr/sbin/mysqld: such a program cannot work on DATA_DIR.
 */
export async function isConfined(path: string): Promise<boolean> {
  const enabled = await readFile('/sys/module/apparmor/parameters/enabled', 'utf8').catch(() => '');
  if (!enabled.startsWith('Y')) return false;
  const real = realpathSync(path);
  const name = real.slice(1).replaceAll('/', '.');
  const profile = await readFile(`/etc/apparmor.d/${name}`, 'utf8').catch(() => '');
  const isDisabled = await access(`/etc/apparmor.d/disable/${name}`).then(
    () => true,
    () => false,
  );
  return !isDisabled && hasProfileFor(real, profile);
}

/** MariaDB's packages install a profile that only contains comments. */
export function hasProfileFor(path: string, profile: string): boolean {
  return profile
    .split('\n')
    .some((line) => !line.trimStart().startsWith('#') && line.includes(path) && line.includes('{'));
}
