import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isAlive, processRef } from './processes.ts';

/** What the commands of other processes need to know of a Holdfast; there once it is ready. */
interface Running {
  /** Where it answers HTTP; missing without the role api. */
  http_url?: string;
  lanes?: number;
  hold_ttl_seconds?: number;
  pay_ttl_seconds?: number;
}

/** What `DATA_DIR/servers.json` tells other processes of the machine about the running servers. */
export interface ServersFile extends Running {
  /** The process that started the servers and stops them. */
  pid: number;
  pid_start: string | null;
  redis_url: string;
  mysql_url: string;
  /** null when the server runs in a container. */
  redis_pid: number | null;
  mysql_pid: number | null;
  /** ISO 8601, UTC. */
  started_at: string;
}

/** The running servers of a data folder; undefined when there are none or their owner is dead. */
export async function readServersFile(dataDir: string): Promise<ServersFile | undefined> {
  const text = await readFile(pathOf(dataDir), 'utf8').catch(() => '');
  const file = parse(text);
  return file && isAlive({ pid: file.pid, start: file.pid_start }) ? file : undefined;
}

/** Publishes the servers of this process. Readers see the whole file or none. */
export async function writeServersFile(
  dataDir: string,
  servers: Omit<ServersFile, 'pid' | 'pid_start' | 'started_at'>,
): Promise<void> {
  const file: ServersFile = {
    pid: process.pid,
    pid_start: processRef(process.pid).start,
    ...servers,
    started_at: new Date().toISOString(),
  };
  await replace(dataDir, file);
}

/** Adds what runs in this process to the servers that it has published. */
export async function publishRunning(dataDir: string, running: Running): Promise<void> {
  const file = await readServersFile(dataDir);
  if (file?.pid === process.pid) await replace(dataDir, { ...file, ...running });
}

export async function removeServersFile(dataDir: string): Promise<void> {
  await rm(pathOf(dataDir), { force: true });
}

async function replace(dataDir: string, file: ServersFile): Promise<void> {
  const temporary = `${pathOf(dataDir)}.${process.pid}`;
  await writeFile(temporary, `${JSON.stringify(file, null, 2)}\n`);
  await rename(temporary, pathOf(dataDir));
}

function pathOf(dataDir: string): string {
  return join(dataDir, 'servers.json');
}

function parse(text: string): ServersFile | undefined {
  try {
    const file = JSON.parse(text) as ServersFile;
    const isComplete =
      Number.isSafeInteger(file.pid) &&
      typeof file.redis_url === 'string' &&
      typeof file.mysql_url === 'string';
    return isComplete ? file : undefined;
  } catch {
    return undefined;
  }
}
