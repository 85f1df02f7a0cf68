import { statfs } from 'node:fs/promises';
import { Command } from 'commander';
import mysql from 'mysql2/promise';
import { type Database, openDatabase } from '../db/client.ts';
import { Deadline, within } from '../domain/deadline.ts';
import { type CommandConfig, readCommandConfig, serversOf } from './connect.ts';
import { bad, type Check, either, ok, warn } from './doctor/check.ts';
import { checkLanes, checkQueue } from './doctor/lanes.ts';
import { checkMysqlServer } from './doctor/mysql.ts';
import { checkRedisServer } from './doctor/redis.ts';
import { withLink } from './link.ts';
import { printJson, printTable } from './output.ts';

const CONNECT_TIMEOUT_MS = 3_000;
const PART_LIMIT_MS = 10_000;
const GIB = 2 ** 30;

/** What a part of the check could tell, or that it could not even begin. */
async function part(what: string, advice: string, work: () => Promise<Check[]>): Promise<Check[]> {
  try {
    return await within(new Deadline(PART_LIMIT_MS), what, work());
  } catch (error) {
    const { message, code } = error as { message?: string; code?: string };
    return [bad(what, message || code || String(error), advice)];
  }
}

async function checkMysql(mysqlUrl: string): Promise<Check[]> {
  const connection = await mysql.createConnection({
    uri: mysqlUrl,
    connectTimeout: CONNECT_TIMEOUT_MS,
  });
  try {
    return await checkMysqlServer(connection);
  } finally {
    connection.destroy();
  }
}

async function checkDisk({ dataDir, httpUrl }: CommandConfig): Promise<Check[]> {
  if (httpUrl === undefined) return [];
  const { bavail, bsize } = await statfs(dataDir);
  const found = `${((bavail * bsize) / GIB).toFixed(1)} GiB free in ${dataDir}`;
  const full = 'Journal and tables grow with every hold: make room.';
  return [either(bavail * bsize >= GIB, ok('disk', found), warn('disk', found, full))];
}

async function checkAll(config: CommandConfig, database: Database): Promise<Check[]> {
  const { redisUrl, mysqlUrl } = serversOf(config);
  const start = 'Start it, or correct ';
  const parts = [
    part('Redis', `${start}REDIS_URL.`, () =>
      withLink(redisUrl, ({ redis }) => checkRedisServer(redis)),
    ),
    part('MySQL', `${start}MYSQL_URL.`, () => checkMysql(mysqlUrl)),
    part('lanes', 'See Redis and MySQL above.', () =>
      withLink(redisUrl, (link) => checkLanes(link, database, config.lanes)),
    ),
    part('queue', 'See Redis above.', () => checkQueue(redisUrl)),
    part('disk', 'Look at DATA_DIR.', () => checkDisk(config)),
  ];
  return (await Promise.all(parts)).flat();
}

async function doctor({ json }: { json?: boolean }): Promise<void> {
  const config = await readCommandConfig();
  const database = openDatabase(serversOf(config).mysqlUrl, 2);
  const checks = await checkAll(config, database);
  await database.close().catch(() => {});
  if (json) printJson({ checks });
  else {
    printTable(
      ['', 'what', 'found'],
      checks.map(({ state, what, found }) => [state, what, found]),
    );
    for (const { state, what, advice } of checks) {
      if (state !== 'ok') process.stdout.write(`\n${state} ${what}: ${advice}\n`);
    }
  }
  if (checks.some(({ state }) => state === 'bad')) process.exitCode = 1;
}

export const doctorCommand = (): Command =>
  new Command('doctor')
    .description('looks at both servers, the tables, lanes and queues, and says what to do')
    .option('--json', 'print {"checks": [...]}')
    .addHelpText(
      'after',
      `
Exit code 1: something is bad. What is only worth a warning leaves it at 0.

Examples:
  $ holdfast doctor
  $ REDIS_URL=redis://cache:6379 MYSQL_URL=mysql://user:secret@db/shop holdfast doctor --json`,
    )
    .action(doctor);
