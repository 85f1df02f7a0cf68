import { resolve } from 'node:path';
import { compose, type Holdfast } from '../compose.ts';
import type { Config } from '../config.ts';
import { readServersFile } from '../embedded/registry.ts';
import { createLogger } from '../log.ts';

/** A server cannot be reached: exit code 3. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable';
}

export interface ServerUrls {
  redisUrl: string;
  mysqlUrl: string;
}

/** The servers of the environment, or those of the Holdfast that runs in DATA_DIR. */
export async function findServers(config: Config): Promise<ServerUrls> {
  const { redisUrl, mysqlUrl } = config;
  if (redisUrl && mysqlUrl) return { redisUrl, mysqlUrl };
  const running = await readServersFile(config.dataDir);
  if (running) return { redisUrl: running.redis_url, mysqlUrl: running.mysql_url };
  throw new Unreachable(
    `no Holdfast is running in ${resolve(config.dataDir)}. Start one with "npm start", set DATA_DIR ` +
      'to the folder of a running one, or set REDIS_URL and MYSQL_URL',
  );
}

/** Runs one command against the engine and closes everything behind it. */
export async function withHoldfast<T>(
  config: Config,
  work: (holdfast: Holdfast) => Promise<T>,
): Promise<T> {
  const servers = await findServers(config);
  // Lanes and errors of a one-off command go to its caller, not to a log.
  const log = createLogger('silent');
  const options = { config: { ...config, roles: [] }, ...servers, log, drainsItself: true };
  const holdfast = await compose(options);
  try {
    return await work(holdfast);
  } finally {
    await holdfast.close();
  }
}
