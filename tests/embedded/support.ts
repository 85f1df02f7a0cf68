import { spawn } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { createConnection } from 'mysql2/promise';
import { onTestFinished } from 'vitest';
import { isAlive, processRef } from '../../src/embedded/processes.ts';
import {
  type EmbeddedOptions,
  type EmbeddedServers,
  startEmbeddedServers,
} from '../../src/embedded/servers.ts';
import { PROGRAMS } from '../support/sources.ts';

const WAIT_MS_MAX = 20_000;
const POLL_MS = 20;

/** A folder of this test, removed after it. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-embedded-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

/** Starts programs that stop with the test at the latest, and collects what they say. */
export async function startServers(
  dataDir: string,
  options: Partial<EmbeddedOptions> = {},
): Promise<EmbeddedServers & { said: string[] }> {
  const said: string[] = [];
  const say = (line: string) => said.push(line);
  const servers = await startEmbeddedServers({ dataDir, say, sources: PROGRAMS, ...options });
  onTestFinished(() => servers.stop());
  return { ...servers, said };
}

/** Calls Redis on a connection of its own. */
export async function withRedis<T>(url: string, use: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(url);
  try {
    return await use(redis);
  } finally {
    redis.disconnect();
  }
}

/** Runs SQL statements on a connection of their own and returns the rows of the last one. */
export async function runSql(url: string, ...statements: string[]): Promise<unknown> {
  const connection = await createConnection(url);
  try {
    let rows: unknown;
    for (const statement of statements) [rows] = await connection.query(statement);
    return rows;
  } finally {
    connection.destroy();
  }
}

export interface Owner {
  pid: number;
  /** The JSON value of the first line that it printed. */
  report: unknown;
  kill(): void;
}

/** Starts a script of this folder in a process of its own and waits for its first line. */
export async function startOwner(script: string, ...args: string[]): Promise<Owner> {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const child = spawn(process.execPath, ['--import', 'tsx', path, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const kill = () => {
    child.kill('SIGKILL');
  };
  onTestFinished(kill);
  for await (const line of createInterface({ input: child.stdout })) {
    return { pid: child.pid ?? -1, report: JSON.parse(line), kill };
  }
  throw new Error(`${script} ended without a line`);
}

/** Notes the processes; the function waits until none of them runs. */
export function ended(pids: readonly number[]): () => Promise<void> {
  const processes = pids.map(processRef);
  return () => until(() => !processes.some(isAlive), `processes ${pids} end`);
}

export async function until(condition: () => boolean, what: string): Promise<void> {
  const giveUpAtMs = Date.now() + WAIT_MS_MAX;
  while (!condition()) {
    if (Date.now() > giveUpAtMs) throw new Error(`waited in vain: ${what}`);
    await sleep(POLL_MS);
  }
}

export async function namesIn(folder: string): Promise<string[]> {
  return (await readdir(folder)).sort();
}
