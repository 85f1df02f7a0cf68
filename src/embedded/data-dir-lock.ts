import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { copyFile, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive, type ProcessRef, processRef } from './processes.ts';
import { readServersFile } from './registry.ts';

const CREATION_MS_MAX = 2_000;
const LEFTOVER_MS_MAX = 15_000;
const POLL_MS = 25;

/** The sole right of this process to a data folder. */
export interface DataDirLock {
  /** Notes the servers that use the folder: who takes over after a crash waits for them. */
  record(pids: readonly number[]): Promise<void>;
  /** Gives the folder free. Safe to call twice. */
  release(): Promise<void>;
}

interface Holder {
  id: string;
  owner: ProcessRef;
  servers: ProcessRef[];
}

/**
 * Takes the data folder for this process, once the servers of a crashed owner are gone.
 * Throws when another live process has it; the lock of a dead one is taken over.
 */
export async function lockDataDir(
  dataDir: string,
  say: (line: string) => void,
): Promise<DataDirLock> {
  const path = join(dataDir, 'lock');
  const own: Holder = { id: randomUUID(), owner: processRef(process.pid), servers: [] };
  const giveUpAtMs = Date.now() + CREATION_MS_MAX;
  while (!(await create(path, own))) {
    const holder = await read(path);
    if (holder && isAlive(holder.owner)) throw await inUse(dataDir, holder.owner.pid);
    if (!holder && Date.now() < giveUpAtMs) {
      // Created a moment ago and not written yet, or removed between the two calls.
      await sleep(POLL_MS);
      continue;
    }
    if (await moveAside(path, holder, own.id)) own.servers.push(...(holder?.servers ?? []));
  }
  const lock = lockOf(path, own);
  const published = await readServersFile(dataDir);
  if (published) {
    await lock.release();
    throw await inUse(dataDir, published.pid);
  }
  await waitForEnd(own.servers, say);
  return lock;
}

function lockOf(path: string, own: Holder): DataDirLock {
  return {
    async record(pids) {
      const temporary = `${path}.${own.id}`;
      await writeFile(temporary, JSON.stringify({ ...own, servers: pids.map(processRef) }));
      await rename(temporary, path);
    },
    async release() {
      if ((await read(path))?.id === own.id) await rm(path, { force: true });
    },
  };
}

async function inUse(dataDir: string, pid: number): Promise<Error> {
  const url = (await readServersFile(dataDir))?.http_url;
  const where = url === undefined ? '' : ` (${url})`;
  return new Error(
    `DATA_DIR ${dataDir} is in use by process ${pid}${where}; stop it, or set DATA_DIR to ` +
      'another folder',
  );
}

async function create(path: string, holder: Holder): Promise<boolean> {
  try {
    await writeFile(path, JSON.stringify(holder), { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

async function read(path: string): Promise<Holder | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Holder;
  } catch {
    return undefined;
  }
}

/** Removes a dead holder's lock, and no other one that came in its place meanwhile. */
async function moveAside(path: string, holder: Holder | undefined, id: string): Promise<boolean> {
  const aside = `${path}.${id}.stale`;
  try {
    await rename(path, aside);
  } catch {
    return false;
  }
  const moved = await read(aside);
  const isExpected = moved?.id === holder?.id;
  if (!isExpected) await copyFile(aside, path, constants.COPYFILE_EXCL).catch(() => undefined);
  await rm(aside, { force: true });
  return isExpected;
}

async function waitForEnd(
  servers: readonly ProcessRef[],
  say: (line: string) => void,
): Promise<void> {
  const pids = servers.filter(isAlive).map((server) => server.pid);
  if (pids.length === 0) return;
  say(`waiting for the servers of an earlier run to stop (processes ${pids.join(', ')}) ...`);
  if (await endedWithin(servers, LEFTOVER_MS_MAX)) return;
  for (const server of servers) {
    // Without a start time it could be anybody's process by now.
    if (server.start !== null && isAlive(server)) process.kill(server.pid, 'SIGKILL');
  }
  await endedWithin(servers, CREATION_MS_MAX);
}

async function endedWithin(servers: readonly ProcessRef[], ms: number): Promise<boolean> {
  const giveUpAtMs = Date.now() + ms;
  while (servers.some(isAlive)) {
    if (Date.now() >= giveUpAtMs) return false;
    await sleep(POLL_MS);
  }
  return true;
}
