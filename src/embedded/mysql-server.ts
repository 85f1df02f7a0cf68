import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeMaker } from './maker.ts';
import { firstArguments, mariadbBootstrapSql } from './mariadb.ts';
import { mysqlFolder, prepareMysqlFolder } from './mysql-folder.ts';
import type { Program } from './programs.ts';
import { onFreePort, untilReady } from './ready.ts';
import type { ServerContext, StartedServer } from './server-context.ts';
import { launch, runToEnd } from './server-process.ts';

/** Settings that hold in a container too: no acknowledged commit is lost, little memory, UTC. */
export const MYSQL_SETTINGS: readonly string[] = [
  '--skip-name-resolve',
  '--skip-log-bin',
  '--innodb-flush-log-at-trx-commit=1',
  '--innodb-buffer-pool-size=256M',
  '--max-connections=200',
  '--performance-schema=OFF',
  '--character-set-server=utf8mb4',
  '--default-time-zone=+00:00',
];

/** Run at every start, so that data of any age has them. --init-file wants one per line. */
export const MYSQL_SET_UP: readonly string[] = [
  'CREATE DATABASE IF NOT EXISTS holdfast CHARACTER SET utf8mb4;',
  "CREATE USER IF NOT EXISTS 'holdfast'@'%' IDENTIFIED BY 'holdfast';",
  "GRANT ALL ON *.* TO 'holdfast'@'%' WITH GRANT OPTION;",
];

const PROBE_MS_MAX = 2_000;

/** Starts a private MySQL or MariaDB on a free port of 127.0.0.1, on DATA_DIR/mysql. */
export async function startMysql(context: ServerContext, program: Program): Promise<StartedServer> {
  const logPath = join(context.dataDir, 'mysql.log');
  const name = `${program.flavour} ${program.version}`;
  const args = await firstArguments(program, context.dataDir);
  await prepareMysqlFolder(context, program, async (folder) => {
    context.say(`preparing ${name} ...`);
    await initialise(program, args, folder, logPath);
  });
  const initFile = join(context.dataDir, 'mysql-init.sql');
  await writeFile(initFile, `${MYSQL_SET_UP.join('\n')}\n`);
  return onFreePort(async (port) => {
    const server = await launch({
      path: program.path,
      args: [
        ...args,
        ...MYSQL_SETTINGS,
        ...(program.flavour === 'MySQL' ? ['--mysqlx=OFF'] : []),
        ...['--bind-address=127.0.0.1', `--port=${port}`],
        // No socket file: its path may not exceed 107 characters, and nobody needs it.
        '--socket=',
        `--datadir=${mysqlFolder(context.dataDir)}`,
        `--pid-file=${join(context.dataDir, 'mysql.pid')}`,
        `--init-file=${initFile}`,
      ],
      environment: program.environment,
      logPath,
    });
    await context.started(server.pid);
    const url = mysqlUrl('127.0.0.1', port);
    try {
      const probe = () => logIn(url);
      await untilReady({ ...server, name, logPath, probe, say: context.say });
    } catch (error) {
      await server.stop();
      throw error;
    }
    await writeMaker(mysqlFolder(context.dataDir), program);
    return { ...server, url, description: name };
  });
}

export function mysqlUrl(host: string, port: number, user = 'holdfast'): string {
  return `mysql://${user}:holdfast@${host}:${port}/${user === 'root' ? '' : 'holdfast'}`;
}

/** Logs in as the application will and runs the statements; rejects while that is too early. */
export async function logIn(
  url: string,
  statements: readonly string[] = ['SELECT 1'],
): Promise<void> {
  const { createConnection } = await import('mysql2/promise');
  const connection = await createConnection({ uri: url, connectTimeout: PROBE_MS_MAX });
  // An error after the handshake must not end the process: the query's own rejection tells.
  connection.on('error', () => undefined);
  try {
    for (const statement of statements) {
      await connection.query({ sql: statement, timeout: PROBE_MS_MAX });
    }
  } finally {
    connection.destroy();
  }
}

async function initialise(
  program: Program,
  args: readonly string[],
  folder: string,
  logPath: string,
): Promise<void> {
  const isMariadb = program.flavour === 'MariaDB';
  if (isMariadb) await mkdir(join(folder, 'mysql'));
  await runToEnd({
    ...program,
    args: [...args, isMariadb ? '--bootstrap' : '--initialize-insecure', `--datadir=${folder}`],
    logPath,
    input: isMariadb ? await mariadbBootstrapSql(program) : '',
  });
}
