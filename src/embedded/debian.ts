import { execFile } from 'node:child_process';
import { access, mkdir, mkdtemp, readdir, readFile, rename, rm, symlink } from 'node:fs/promises';
import { arch, homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { ServerName } from './candidates.ts';
import { inspectProgram, type Program } from './programs.ts';

const APT_MS_MAX = 300_000;
const OUTPUT_BYTES_MAX = 10_000_000;
// To be raised when the layout of the unpacked folder changes.
const LAYOUT = 1;

const run = promisify(execFile);

/**
 * The server packages of Debian and Ubuntu, unpacked privately with the libraries that the machine
 * lacks. Needs no root and installs nothing: the cache folder has it all, and may be deleted.
 */
export class PackageSource {
  private readonly cache: string;
  private readonly say: (line: string) => void;
  private apt: Promise<Apt> | undefined;

  constructor(cache: string, say: (line: string) => void) {
    this.cache = cache;
    this.say = say;
  }

  /** The server of a package, downloaded at the first call on a machine. */
  async program(server: ServerName, packageName: string): Promise<Program> {
    const folder = join(this.cache, packageName);
    const cached = await unpackedProgram(server, folder).catch(() => undefined);
    if (cached) return cached;
    const isDebian = await run('apt-get', ['--version']).then(
      () => true,
      () => false,
    );
    if (!isDebian) throw new Error('there is no apt-get here, so its packages are not at hand');
    this.say(`fetching ${packageName} from this distribution's packages, once ...`);
    this.apt ??= openApt(this.cache);
    const unpacked = await unpack(await this.apt, packageName);
    // Another process may have been faster, and may be using its own by now.
    const others = await unpackedProgram(server, folder).catch(() => undefined);
    if (others) return others;
    // What is there no longer works, as after an upgrade of the system's libraries.
    const apt = await this.apt;
    await rename(folder, join(apt.folder, `${packageName}-broken`)).catch(() => undefined);
    await rename(unpacked, folder).catch(() => undefined);
    return unpackedProgram(server, folder);
  }

  /** Removes what only the download needed. */
  async close(): Promise<void> {
    const apt = await this.apt?.catch(() => undefined);
    if (apt) await rm(apt.folder, { recursive: true, force: true });
  }
}

/** `~/.cache/holdfast/servers-...`, per release and processor: home folders are shared. */
export async function packageCacheFolder(): Promise<string> {
  const base = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  const release = await readFile('/etc/os-release', 'utf8').catch(() => '');
  const field = (name: string) => new RegExp(`^${name}="?([\\w.-]+)`, 'm').exec(release)?.[1];
  const system = `${field('ID') ?? 'unknown'}${field('VERSION_ID') ?? ''}-${arch()}`;
  return join(base, 'holdfast', `servers-${LAYOUT}-${system}`);
}

async function unpackedProgram(server: ServerName, folder: string): Promise<Program> {
  const path = join(folder, server === 'redis' ? 'usr/bin/redis-server' : 'usr/sbin/mariadbd');
  await access(path);
  const libraries = await libraryFolders(folder);
  const inherited = process.env.LD_LIBRARY_PATH ? [process.env.LD_LIBRARY_PATH] : [];
  return inspectProgram(server, path, {
    LD_LIBRARY_PATH: [...libraries, ...inherited].join(':'),
  });
}

async function libraryFolders(folder: string): Promise<string[]> {
  const folders: string[] = [];
  for (const parent of [join(folder, 'usr/lib'), join(folder, 'lib')]) {
    const names = await readdir(parent).catch(() => []);
    // As in "x86_64-linux-gnu", "arm-linux-gnueabihf".
    folders.push(
      ...names.filter((name) => name.includes('-linux-')).map((name) => join(parent, name)),
    );
    folders.push(parent);
  }
  return folders;
}

interface Apt {
  folder: string;
  options: string[];
  /** What went wrong with the package lists, in apt's words. */
  complaint: string;
}

/** Fetches the package lists into a folder of their own. */
async function openApt(cache: string): Promise<Apt> {
  await mkdir(cache, { recursive: true });
  const folder = await mkdtemp(join(cache, 'apt-'));
  await mkdir(join(folder, 'lists/partial'), { recursive: true });
  const options = [
    ...['-o', `Dir::State::Lists=${folder}/lists`],
    ...['-o', `Dir::State::extended_states=${folder}/extended_states`],
    ...['-o', 'Dir::Cache::pkgcache=', '-o', 'Dir::Cache::srcpkgcache='],
    ...['-o', 'Debug::NoLocking=true', '-o', 'APT::Sandbox::User=root'],
    ...['-o', 'APT::Install-Recommends=false', '-o', 'Acquire::Languages=none'],
  ];
  // A source that has nothing to do with the servers may fail: the download itself tells what
  // matters.
  const complaint = await aptGet([...options, '-o', `Dir::Cache=${folder}`, 'update']).then(
    () => '',
    (error: unknown) => lastErrors(error),
  );
  return { folder, options, complaint };
}

async function unpack(apt: Apt, packageName: string): Promise<string> {
  const cache = join(apt.folder, packageName);
  await mkdir(join(cache, 'archives/partial'), { recursive: true });
  const options = [...apt.options, '-o', `Dir::Cache=${cache}`];
  const target = await availableName(options, packageName);
  try {
    await aptGet([...options, 'install', '-y', '--reinstall', '--download-only', target]);
  } catch (error) {
    throw new Error(
      [`${target} could not be downloaded`, apt.complaint, lastErrors(error)].join('\n').trim(),
    );
  }
  const folder = join(cache, 'unpacked');
  await mkdir(folder);
  const archives = await readdir(join(cache, 'archives'));
  for (const name of archives.filter((file) => file.endsWith('.deb'))) {
    await run('dpkg-deb', ['-x', join(cache, 'archives', name), folder]);
  }
  // The package redis-server is little more than this link and a system service.
  const redis = join(folder, 'usr/bin/redis-server');
  if (await isThere(join(folder, 'usr/bin/redis-check-rdb'))) {
    if (!(await isThere(redis))) await symlink('redis-check-rdb', redis);
  }
  return folder;
}

/** Older releases have the version in the name only: mariadb-server-core-10.6. */
async function availableName(options: string[], packageName: string): Promise<string> {
  const { stdout } = await run('apt-cache', [...options, 'pkgnames', packageName], {
    maxBuffer: OUTPUT_BYTES_MAX,
  });
  const names = stdout.split('\n').filter((name) => /^[a-z-]+(-[\d.]+)?$/.test(name));
  if (names.length === 0 || names.includes(packageName)) return packageName;
  return names.sort().at(-1) ?? packageName;
}

async function aptGet(args: string[]): Promise<void> {
  await run('apt-get', ['-q', ...args], {
    timeout: APT_MS_MAX,
    maxBuffer: OUTPUT_BYTES_MAX,
    env: { ...process.env, LC_ALL: 'C' },
  });
}

/** apt's own lines of error: "E: Unable to locate package x". */
function lastErrors(error: unknown): string {
  const { stderr = '', message } = error as { stderr?: string; message: string };
  const lines = stderr.split('\n').filter((line) => /^(E|W|Err):/.test(line));
  return lines.length > 0 ? lines.slice(-4).join('\n') : message;
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
