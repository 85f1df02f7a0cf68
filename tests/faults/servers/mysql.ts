import { cp, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import mysql, { type Connection, type RowDataPacket } from 'mysql2/promise';
import { firstArguments } from '../../../src/embedded/mariadb.ts';
import {
  logIn,
  MYSQL_SET_UP,
  MYSQL_SETTINGS,
  mysqlUrl,
  startMysql,
} from '../../../src/embedded/mysql-server.ts';
import type { Program } from '../../../src/embedded/programs.ts';
import { untilReady } from '../../../src/embedded/ready.ts';
import { freePort, Killable } from './process.ts';

/** Makes data once, to be copied for every row: that takes seconds, and a copy does not. */
export async function prepareMysqlData(program: Program, folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  const context = { dataDir: folder, redisArguments: [], say: () => {}, started: async () => {} };
  const server = await startMysql(context, program);
  await server.stop();
  return join(folder, 'mysql');
}

/** A MySQL or MariaDB of a row's own, always on the same port. Each commit is on disk. */
export class MysqlServer {
  readonly url: string;
  readonly process: Killable;
  readonly data: string;
  readonly #name: string;
  readonly #logPath: string;

  private constructor(program: Program, args: string[], port: number, folder: string) {
    this.url = mysqlUrl('127.0.0.1', port);
    this.data = join(folder, 'mysql');
    this.#name = `${program.flavour} ${program.version}`;
    this.#logPath = join(folder, 'mysql.log');
    this.process = new Killable({
      path: program.path,
      args: [
        ...args,
        ...MYSQL_SETTINGS,
        ...(program.flavour === 'MySQL' ? ['--mysqlx=OFF'] : []),
        ...['--bind-address=127.0.0.1', `--port=${port}`, '--socket='],
        ...[`--datadir=${this.data}`, `--pid-file=${join(folder, 'mysql.pid')}`],
        `--init-file=${join(folder, 'mysql-init.sql')}`,
      ],
      environment: program.environment,
      logPath: this.#logPath,
    });
  }

  static async create(program: Program, template: string, folder: string): Promise<MysqlServer> {
    const args = await firstArguments(program, folder);
    const server = new MysqlServer(program, args, await freePort(), folder);
    await cp(template, server.data, { recursive: true });
    await writeFile(join(folder, 'mysql-init.sql'), `${MYSQL_SET_UP.join('\n')}\n`);
    return server;
  }

  /** Starts it on the data that it has, and resolves when it takes queries. */
  async start(): Promise<void> {
    const running = await this.process.start();
    await untilReady({
      ...running,
      name: this.#name,
      logPath: this.#logPath,
      probe: () => logIn(this.url),
      say: () => {},
    });
  }

  /** A connection of the harness' own, for as long as the work takes. */
  async connected<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    const connection = await mysql.createConnection({ uri: this.url });
    try {
      return await work(connection);
    } finally {
      connection.destroy();
    }
  }

  /** Forgets every connection but these, and with them the locks that they held. */
  cutConnections(spared: readonly Connection[] = []): Promise<void> {
    return this.connected(async (connection) => {
      const [rows] = await connection.query<RowDataPacket[]>('SHOW PROCESSLIST');
      for (const { Id, User } of rows) {
        const isOurs = [connection, ...spared].some(({ threadId }) => threadId === Id);
        if (User !== 'holdfast' || isOurs) continue;
        await connection.query(`KILL ${Number(Id)}`).catch(() => {});
      }
    });
  }

  /** Copies the data as the disk has it at one moment, which is what a crash would leave. */
  async copyData(to: string): Promise<void> {
    this.process.signal('SIGSTOP');
    try {
      await cp(this.data, to, { recursive: true });
    } finally {
      this.process.signal('SIGCONT');
    }
  }

  /** Puts other data in the place of its own, which is kept aside. It must not run. */
  async swapData(other: string, aside: string): Promise<void> {
    await rm(aside, { recursive: true, force: true });
    await rename(this.data, aside);
    await rename(other, this.data);
  }
}
