import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import mysql, { type Connection, type RowDataPacket } from 'mysql2/promise';
import { pino } from 'pino';
import { inject, onTestFinished } from 'vitest';
import { type ComposeOptions, compose, type Holdfast } from '../../src/compose.ts';
import { type Config, readConfig } from '../../src/config.ts';
import { migrateDatabase } from '../../src/db/migrate.ts';
import { Deadline } from '../../src/domain/deadline.ts';
import type { NewProduct } from '../../src/domain/outcomes.ts';
import type { Product } from '../../src/domain/product.ts';

export const seconds = (count: number): Deadline => new Deadline(count * 1_000);

/** A whole Holdfast on an empty Redis database and a MySQL database of its own. */
export interface TestEngine extends Holdfast {
  config: Config;
  redisUrl: string;
  mysqlUrl: string;
  /** Connections of the test's own, to look at both stores past the engine. */
  redis: Redis;
  mysql: Connection;
  sql: (text: string, values?: unknown[]) => Promise<RowDataPacket[]>;
  /** Another process's worth of Holdfast on the same servers. */
  another: (options?: EngineOptions) => Promise<Holdfast>;
  stop: () => Promise<void>;
}

export type EngineOptions = Partial<Omit<ComposeOptions, 'config'>> & { config?: Partial<Config> };

/** A product as tests want it: 10 units of 19.90 USD, no limits. */
export const newProduct = (changes: Partial<NewProduct> = {}): NewProduct => ({
  name: 'Lamp',
  priceMinor: 1990,
  currency: 'USD',
  totalStock: 10,
  startsAtMs: null,
  endsAtMs: null,
  holdTtlMs: null,
  payTtlMs: null,
  extendMs: 0,
  maxPerHold: null,
  maxPerBuyer: null,
  lane: null,
  ...changes,
});

// Two Redis databases of the worker's own (its files run one after the other): a file may have an
// engine for all its tests, and one test an engine of its own beside it.
const worker = Number(process.env.VITEST_POOL_ID ?? 1);
const freeDatabases = [worker + 8, worker];

export async function startEngine(options: EngineOptions = {}): Promise<TestEngine> {
  const redisDatabase = freeDatabases.pop();
  if (redisDatabase === undefined) throw new Error('stop an engine before you start a third one');
  const redisUrl = new URL(`/${redisDatabase}`, inject('redisUrl')).href;
  const redis = new Redis(redisUrl);
  await redis.flushdb();
  const database = `test_${randomUUID().replaceAll('-', '')}`;
  const admin = await mysql.createConnection({ uri: inject('mysqlUrl') });
  await admin.query(`CREATE DATABASE ${database}`);
  const mysqlUrl = inject('mysqlUrl').replace(/\/[^/]*$/, `/${database}`);
  await migrateDatabase(mysqlUrl);
  const connection = await mysql.createConnection({
    uri: mysqlUrl,
    timezone: 'Z',
    supportBigNumbers: true,
  });
  // Tests that want the books compared by themselves say so: others break books on purpose.
  const config = { ...readConfig({}), reconcileEveryMs: 0, ...options.config };
  const log = pino({ level: process.env.TEST_LOG_LEVEL ?? 'silent' });
  const start = (more: EngineOptions = {}) =>
    compose({
      log,
      ...options,
      ...more,
      redisUrl,
      mysqlUrl,
      config: { ...config, ...more.config },
    });
  const others: Holdfast[] = [];
  const holdfast = await start();
  return {
    ...holdfast,
    config,
    redisUrl,
    mysqlUrl,
    redis,
    mysql: connection,
    sql: async (text, values) => (await connection.query<RowDataPacket[]>(text, values))[0],
    another: async (more) => {
      const other = await start(more);
      others.push(other);
      return other;
    },
    stop: async () => {
      for (const other of others) await other.close();
      await holdfast.close();
      redis.disconnect();
      await connection.end();
      await admin.query(`DROP DATABASE ${database}`);
      await admin.end();
      freeDatabases.push(redisDatabase);
    },
  };
}

/**
 * An engine for one test, stopped after it. `audit` is what must hold at its end; see books.ts.
 */
export async function ownEngine(
  options: EngineOptions,
  audit: (engine: TestEngine) => Promise<void>,
): Promise<TestEngine> {
  const engine = await startEngine(options);
  onTestFinished(async () => {
    try {
      await audit(engine);
    } finally {
      await engine.stop();
    }
  });
  return engine;
}

/** Makes a product through the engine. */
export const makeProduct = (
  { engine }: Pick<Holdfast, 'engine'>,
  changes: Partial<NewProduct> = {},
): Promise<Product> => engine.admin.create(newProduct(changes), seconds(5));
