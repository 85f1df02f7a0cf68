import type { DrainOptions } from '../../src/writer/drain.ts';
import { compiled } from '../api/compiled.ts';
import { AuditFailed } from '../contenders/contender.ts';
import type { Servers, Stores } from '../servers.ts';

// The same journal, drained over and over into a MySQL that is put back each time.

const LANE = 0;
const CONNECTIONS = 4;
/** What the writer fills. */
export const FILLED = ['holds', 'hold_items', 'orders', 'payment_events', 'transitions'];
/** What it moves on. */
const MOVED = ['lanes', 'stock'];

/** Keeps what MySQL says before the journal is drained, for `putBack`. */
export async function remember({ mysql }: Stores): Promise<void> {
  for (const table of MOVED) {
    await mysql.query(`CREATE TABLE ${table}_before AS SELECT * FROM ${table}`);
  }
}

/** MySQL as it was before: the very same entries can be drained again. */
export async function putBack({ mysql }: Stores): Promise<void> {
  for (const table of FILLED) await mysql.query(`TRUNCATE TABLE ${table}`);
  for (const table of MOVED) {
    await mysql.query(`REPLACE INTO ${table} SELECT * FROM ${table}_before`);
  }
}

/** A writer in this process, compiled as `npm start` runs it, that trims nothing. */
export async function openDrain({ redisUrl, mysqlUrl }: Stores, keepsHistory: boolean) {
  const { createDrain } = (await compiled(
    'writer/drain',
  )) as typeof import('../../src/writer/drain.ts');
  const { hotClient } = (await compiled(
    'redis/client',
  )) as typeof import('../../src/redis/client.ts');
  const { openDatabase } = (await compiled('db/client')) as typeof import('../../src/db/client.ts');
  const redis = hotClient(redisUrl);
  const database = openDatabase(mysqlUrl, CONNECTIONS);
  const unexpected = () => {
    throw new AuditFailed('the journal was not taken as it is');
  };
  const options: DrainOptions = {
    ...{ redis, database, onDrift: unexpected, onDeadLetter: unexpected },
    policy: { closesOnDrift: true, keepsHistory },
    // The next round finds it.
    keepMs: Number.POSITIVE_INFINITY,
  };
  const drain = createDrain(options);
  await redis.connect();
  return {
    drain: () => drain(LANE),
    close: async () => {
      redis.disconnect();
      await database.close();
    },
  };
}

/** What some work of this process took. */
export interface Taken {
  elapsedMs: number;
  ownUs: number;
  /** NaN where it cannot be known. */
  mysqlUs: number;
}

/** Runs work, and says what it took. */
export async function timed({ mysqlCpuUs }: Servers, work: () => Promise<unknown>): Promise<Taken> {
  const mysqlBefore = (await mysqlCpuUs()) ?? Number.NaN;
  const cpuBefore = process.cpuUsage();
  const startedAt = performance.now();
  await work();
  const elapsedMs = performance.now() - startedAt;
  const { user, system } = process.cpuUsage(cpuBefore);
  const mysqlUs = ((await mysqlCpuUs()) ?? Number.NaN) - mysqlBefore;
  return { elapsedMs, ownUs: user + system, mysqlUs };
}
