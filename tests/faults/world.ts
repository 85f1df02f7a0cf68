import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { startWay, type Way } from '../support/way.ts';
import { type CommandResult, HoldfastServe, runCommand } from './servers/holdfast.ts';
import { MysqlServer, prepareMysqlData } from './servers/mysql.ts';
import { findPrograms, type Programs } from './servers/programs.ts';
import { RedisServer } from './servers/redis.ts';
import { ADMIN_TOKEN } from './shop.ts';

export const HOLD_TTL_MS = 3_000;
export const PAY_TTL_MS = 5_000;
/** Of products whose holds can be extended. */
export const EXTEND_MS = 2_000;

/** What all rows of a run share. */
export interface Ground {
  programs: Programs;
  folder: string;
  /** MySQL data to copy. */
  mysqlData: string;
  /** The compiled checkout that is run, unless a row brings a patched one. */
  code: string;
  close: () => Promise<void>;
}

/** Finds the servers and prepares what every row copies. */
export async function prepareGround(code: string, say: (line: string) => void): Promise<Ground> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-faults-'));
  const close = () => rm(folder, { recursive: true, force: true, maxRetries: 5 });
  try {
    const programs = await findPrograms(say);
    const mysqlData = await prepareMysqlData(programs.mysql, join(folder, 'template'));
    return { programs, folder, mysqlData, code, close };
  } catch (error) {
    await close();
    throw error;
  }
}

export interface WorldOptions {
  /** The roles of each process. */
  processes: readonly string[];
  environment?: Record<string, string>;
  /** Whether processes reach Redis over a way that can be troubled. */
  redisByWay?: boolean;
  mysqlByWay?: boolean;
  code?: string;
}

export const ALL_ROLES = 'api,writer,expiry,reconciler';
export const ROLES_BUT_API = 'writer,expiry,reconciler';

/** Servers and processes of one row. Everything listens on 127.0.0.1 and ends with this process. */
export class World {
  readonly folder: string;
  readonly redis: RedisServer;
  readonly mysql: MysqlServer;
  readonly serves: HoldfastServe[] = [];
  /** MySQL data that nothing was ever written to. */
  readonly emptyMysqlData: string;
  /** To Redis; only there with `redisByWay`. */
  way: Way | undefined;
  /** To MySQL; only there with `mysqlByWay`. */
  mysqlWay: Way | undefined;
  readonly #code: string;
  readonly #environment: Record<string, string>;
  #control: Redis | undefined;

  private constructor(
    folder: string,
    servers: { redis: RedisServer; mysql: MysqlServer },
    ground: Ground,
    options: WorldOptions,
  ) {
    this.folder = folder;
    this.redis = servers.redis;
    this.mysql = servers.mysql;
    this.emptyMysqlData = ground.mysqlData;
    this.#code = options.code ?? ground.code;
    this.#environment = options.environment ?? {};
  }

  static async open(ground: Ground, name: string, options: WorldOptions): Promise<World> {
    const folder = await mkdtemp(join(ground.folder, `${name}-`));
    const [redis, mysql] = await Promise.all([
      RedisServer.create(ground.programs.redis, folder),
      MysqlServer.create(ground.programs.mysql, ground.mysqlData, folder),
    ]);
    const world = new World(folder, { redis, mysql }, ground, options);
    try {
      await Promise.all([redis.start(), mysql.start()]);
      if (options.redisByWay) world.way = await startWay(redis.url);
      if (options.mysqlByWay) world.mysqlWay = await startWay(mysql.url);
      // One after the other: the first brings the tables up.
      for (const roles of options.processes) await world.addServe(roles);
      return world;
    } catch (error) {
      await world.close();
      throw error;
    }
  }

  /** Starts one more process. */
  async addServe(roles: string): Promise<HoldfastServe> {
    const number = this.serves.length;
    const serve = new HoldfastServe({
      code: this.#code,
      logPath: join(this.folder, `serve-${number}.log`),
      environment: this.#environmentOf(roles),
    });
    this.serves.push(serve);
    await serve.start();
    return serve;
  }

  #environmentOf(roles: string): Record<string, string> {
    return {
      REDIS_URL: this.way?.url ?? this.redis.url,
      MYSQL_URL: this.mysqlWay?.url ?? this.mysql.url,
      ...{ PORT: '0', HOST: '127.0.0.1', ROLES: roles, LANES: '1', LOG_LEVEL: 'info' },
      ...{ HOLD_TTL_SECONDS: String(HOLD_TTL_MS / 1_000), OUTBOX_MAX: '200000' },
      ...{ PAY_TTL_SECONDS: String(PAY_TTL_MS / 1_000), ADMIN_TOKEN },
      ...{ IDEMPOTENCY_TTL_SECONDS: '86400', DATA_DIR: join(this.folder, 'data') },
      ...this.#environment,
    };
  }

  /** Runs a `holdfast` command beside the processes. */
  holdfast(...args: string[]): Promise<CommandResult> {
    return runCommand({ code: this.#code, environment: this.#environmentOf(ALL_ROLES) }, args);
  }

  /** What the processes logged, all of them. */
  async logs(): Promise<string> {
    return (await Promise.all(this.serves.map((serve) => serve.log()))).join('\n');
  }

  /** The processes that run now. */
  running(): HoldfastServe[] {
    return this.serves.filter((serve) => serve.process.isRunning);
  }

  /** Where clients may ask: a load balancer would know which processes are there. */
  apiUrls(): string[] {
    return this.running()
      .filter((serve) => serve.hasApi)
      .map((serve) => serve.url);
  }

  /** A connection of the harness' own to Redis, past every way. */
  get control(): Redis {
    if (!this.#control) {
      this.#control = new Redis(this.redis.url, { maxRetriesPerRequest: null });
      this.#control.on('error', () => {});
    }
    return this.#control;
  }

  /** What the processes complained about, each thing once, for people who look into a red row. */
  async complaints(): Promise<string[]> {
    const counts = new Map<string, number>();
    for (const line of (await this.logs()).split('\n')) {
      if (!/"level":(40|50|60)/.test(line)) continue;
      const text = complaintOf(line);
      counts.set(text, (counts.get(text) ?? 0) + 1);
    }
    return [...counts].map(([text, count]) => `${count} x ${text}`);
  }

  async close(): Promise<void> {
    this.#control?.disconnect();
    // Whatever is left in them was looked at before: SIGKILL is quicker.
    await Promise.all(this.serves.map((serve) => endAtOnce(serve.process)));
    await Promise.all([this.way?.close(), this.mysqlWay?.close()]);
    await Promise.all([endAtOnce(this.redis.process), endAtOnce(this.mysql.process)]);
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function endAtOnce(process: { isRunning: boolean; kill: () => Promise<void> }) {
  if (process.isRunning) await process.kill();
}

// Numbers left out: they differ from time to time, and say nothing about what is wrong.
function complaintOf(line: string): string {
  const { msg, reason, err } = JSON.parse(line) as {
    msg?: string;
    reason?: string;
    err?: { message?: string };
  };
  const text = [msg, reason ?? err?.message].filter((it) => it !== undefined).join(': ');
  return text.slice(0, 300).replace(/\d+ ms/g, '... ms');
}
