import type { Socket } from 'node:net';
import { DrizzleQueryError } from 'drizzle-orm';
import { drizzle, type MySql2Database } from 'drizzle-orm/mysql2';
import mysql from 'mysql2';
import type { PoolConnection, Pool as PromisePool } from 'mysql2/promise';
import { Deadline, within } from '../domain/deadline.ts';
import { Unavailable } from '../domain/unavailable.ts';

const CONNECT_TIMEOUT_MS = 2_000;
const ATTEMPTS_MAX = 8;
// Longer than any transaction of the sale. A network can swallow a connection without a word, and
// whoever waits for its answer keeps it; TCP itself takes a quarter of an hour to notice.
const SILENCE_MAX_MS = 12_000;
// mysql2 lets callers wait for a connection without limit; beyond this many they are refused.
const QUEUE_MAX = 512;
// Whatever the server's own mode is. mysql2 escapes with backslashes, which NO_BACKSLASH_ESCAPES
// would turn into an injection; without strictness, MySQL stores what fits of a value.
const SQL_MODE = "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'";
/** How much longer than we do MySQL waits before it hangs up on a silent connection. */
const PATIENCE_MS = 3_000;

/** A bounded pool and the typed queries over it. */
export interface Database {
  pool: PromisePool;
  orm: MySql2Database;
  close: () => Promise<void>;
}

/**
 * Opens a pool of at most `connections` connections; none is made before the first query. One that
 * says nothing for `silenceMs` is given up.
 */
export function openDatabase(
  url: string,
  connections: number,
  silenceMs: number = SILENCE_MAX_MS,
): Database {
  const pool = mysql.createPool({
    uri: url,
    connectionLimit: connections,
    maxIdle: connections,
    queueLimit: QUEUE_MAX,
    connectTimeout: CONNECT_TIMEOUT_MS,
    // Above 2^53 a BIGINT comes as a string instead of as a wrong number.
    supportBigNumbers: true,
    timezone: 'Z',
    charset: 'utf8mb4',
  });
  // A process that stands still within a transaction must not keep its locks.
  const patience = Math.ceil((silenceMs + PATIENCE_MS) / 1_000);
  const session = `${SQL_MODE}, SESSION wait_timeout = ${patience}`;
  // Ahead of whatever the connection was made for.
  pool.on('connection', (connection) => {
    connection.query(session, (error) => error && connection.destroy());
    // The driver's types leave its socket out.
    const { stream } = connection as unknown as { stream: Socket };
    stream.setTimeout(silenceMs, () => connection.destroy());
  });
  return {
    pool: pool.promise(),
    orm: drizzle({ client: pool }),
    close: () => pool.promise().end(),
  };
}

const UNREACHABLE = /^(ECONN|E(HOST|NET)UNREACH|ETIMEDOUT|EPIPE|ENOTFOUND|EAI_|PROTOCOL_|POOL_)/;

// A server that is full, going down, or no longer the primary after a failover.
// Source: MySQL 8.4 server error reference; MariaDB uses the same numbers.
const NOT_SERVING = new Set([
  'ER_CON_COUNT_ERROR',
  'ER_TOO_MANY_USER_CONNECTIONS',
  'ER_USER_LIMIT_REACHED',
  'ER_SERVER_SHUTDOWN',
  'ER_SERVER_OFFLINE_MODE',
  'ER_QUERY_INTERRUPTED',
  'ER_OPTION_PREVENTS_STATEMENT',
  'ER_READ_ONLY_MODE',
  'ER_OPEN_AS_READONLY',
  'ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION',
  'ER_TRANSACTION_ROLLBACK_DURING_COMMIT',
]);

// A deadlock, a lock wait timeout, a snapshot conflict of MariaDB: nothing was done, try again.
const TRANSIENT = new Set(['ER_LOCK_DEADLOCK', 'ER_LOCK_WAIT_TIMEOUT', 'ER_CHECKREAD']);

/** The driver's error beneath drizzle's own, which would print the whole query. */
export function driverError(error: unknown): { code: string; message: string } {
  const inner = error instanceof DrizzleQueryError ? (error.cause ?? error) : error;
  const { code, message } = inner as { code?: unknown; message?: unknown };
  return { code: String(code ?? ''), message: String(message ?? inner) };
}

/** A query's result within the deadline. Throws `Unavailable` when MySQL cannot be asked. */
export async function query<T>(
  deadline: Deadline,
  what: string,
  promise: PromiseLike<T>,
): Promise<T> {
  try {
    return await within(deadline, `MySQL (${what})`, Promise.resolve(promise));
  } catch (error) {
    if (error instanceof Unavailable) throw error;
    const { code, message } = driverError(error);
    const unreachable =
      UNREACHABLE.test(code) || /Queue limit|is closed|closed state/.test(message);
    // A statement that lost a deadlock did nothing: the caller may ask again.
    if (unreachable || NOT_SERVING.has(code) || TRANSIENT.has(code)) {
      throw new Unavailable(`MySQL (${what}): ${message}`);
    }
    throw error;
  }
}

/** Whether an insert met a row with the same primary key. */
export const isDuplicate = (error: unknown): boolean => driverError(error).code === 'ER_DUP_ENTRY';

/** Whether the same transaction may succeed when it is run again. */
export const isTransient = (error: unknown): boolean => TRANSIENT.has(driverError(error).code);

/** A connection of the pool, within the deadline; one that comes later goes back by itself. */
export async function acquire({ pool }: Database, deadline: Deadline): Promise<PoolConnection> {
  const acquiring = pool.getConnection();
  return query(deadline, 'connection', acquiring).catch((error) => {
    acquiring.then((late) => late.release()).catch(() => {});
    throw error;
  });
}

/**
 * Runs `work` in one transaction. Whatever goes wrong, it is rolled back; a connection that does
 * not answer within `limitMs` is thrown away.
 */
export function transaction<T>(
  database: Database,
  limitMs: number,
  work: (connection: PoolConnection) => Promise<T>,
): Promise<T> {
  return run(database, limitMs, ['START TRANSACTION'], work);
}

/** Runs a transaction again while it only lost to another one, a bounded number of times. */
export async function retried<T>(attempt: () => Promise<T>): Promise<T> {
  for (let count = 1; ; count += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (!isTransient(error) || count === ATTEMPTS_MAX) throw error;
    }
  }
}

/** Runs `work` on one snapshot of all tables, whatever is written meanwhile. It can only read. */
export function snapshot<T>(
  database: Database,
  limitMs: number,
  work: (connection: PoolConnection) => Promise<T>,
): Promise<T> {
  const isolate = 'SET TRANSACTION ISOLATION LEVEL REPEATABLE READ';
  const begin = 'START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY';
  return run(database, limitMs, [isolate, begin], work);
}

async function run<T>(
  database: Database,
  limitMs: number,
  begin: readonly string[],
  work: (connection: PoolConnection) => Promise<T>,
): Promise<T> {
  const deadline = new Deadline(limitMs);
  const connection = await acquire(database, deadline);
  try {
    const result = await within(
      deadline,
      'MySQL (transaction)',
      (async () => {
        for (const statement of begin) await connection.query(statement);
        const value = await work(connection);
        await connection.commit();
        return value;
      })(),
    );
    connection.release();
    return result;
  } catch (error) {
    try {
      // Past the limit `work` may go on. Behind a ROLLBACK, its next statement would commit by
      // itself; without its connection, it fails, and the server rolls back.
      if (error instanceof Unavailable) throw error;
      // 1205 undoes its statement only, hence always the whole.
      await within(new Deadline(1_000), 'MySQL (rollback)', connection.rollback());
      connection.release();
    } catch {
      connection.destroy();
    }
    throw error;
  }
}
