import { resolve } from 'node:path';
import { compose, type Holdfast } from '../compose.ts';
import { type Config, readConfig } from '../config.ts';
import { driverError } from '../db/client.ts';
import { migrateDatabase } from '../db/migrate.ts';
import { Unavailable } from '../domain/unavailable.ts';
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

export interface CommandConfig extends Config {
  /** Where the Holdfast of DATA_DIR answers HTTP, if one runs there. */
  httpUrl?: string | undefined;
}

/**
 * The configuration of a command: the servers and settings of the Holdfast that runs in DATA_DIR,
 * unless the environment names others.
 */
export async function readCommandConfig(): Promise<CommandConfig> {
  const set = Object.fromEntries(Object.entries(process.env).filter(([, value]) => value));
  const config = readConfig(set);
  const running = config.redisUrl ? undefined : await readServersFile(config.dataDir);
  if (!running) return config;
  const settings = {
    REDIS_URL: running.redis_url,
    MYSQL_URL: running.mysql_url,
    LANES: running.lanes?.toString(),
    HOLD_TTL_SECONDS: running.hold_ttl_seconds?.toString(),
    PAY_TTL_SECONDS: running.pay_ttl_seconds?.toString(),
  };
  return { ...readConfig({ ...settings, ...set }), httpUrl: running.http_url };
}

/** The servers of a command. Throws `Unreachable` where there are none, with what to do. */
export function serversOf({ redisUrl, mysqlUrl, dataDir }: Config): ServerUrls {
  if (redisUrl && mysqlUrl) return { redisUrl, mysqlUrl };
  throw new Unreachable(
    `no Holdfast is running in ${resolve(dataDir)}. Start one with "npm start", set DATA_DIR ` +
      'to the folder of a running one, or set REDIS_URL and MYSQL_URL',
  );
}

const UNREACHABLE =
  /^(ECONN|ENOTFOUND|ETIMEDOUT|EHOSTUNREACH|EAI_|ER_ACCESS_DENIED|ER_BAD_DB|PROTOCOL_)/;

/** Whether a server was not there, or did not let us in. */
export const isUnreachable = (error: unknown): boolean =>
  error instanceof Unreachable ||
  error instanceof Unavailable ||
  UNREACHABLE.test(driverError(error).code) ||
  /Connection is closed|ECONNREFUSED/.test((error as Error).message);

/** Brings the tables up to date; returns how many migrations it took. */
export async function migrated({ mysqlUrl }: ServerUrls): Promise<number> {
  return migrateDatabase(mysqlUrl).catch((error) => {
    if (!isUnreachable(error)) throw error;
    const { hostname, port } = new URL(mysqlUrl);
    const { code, message } = driverError(error);
    throw new Unreachable(
      `cannot use MySQL at ${hostname}:${port || 3306} (MYSQL_URL): ${message || code}`,
    );
  });
}

/** Runs one command against the engine and closes everything behind it. */
export async function withHoldfast<T>(
  config: Config,
  work: (holdfast: Holdfast) => Promise<T>,
): Promise<T> {
  const servers = serversOf(config);
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
