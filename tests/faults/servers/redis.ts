import { cp, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Program } from '../../../src/embedded/programs.ts';
import { untilReady } from '../../../src/embedded/ready.ts';
import { pingRedis, REDIS_SETTINGS } from '../../../src/embedded/redis-server.ts';
import { freePort, Killable } from './process.ts';

/** A Redis of a row's own, always on the same port, AOF everysec. */
export class RedisServer {
  readonly url: string;
  readonly process: Killable;
  readonly #port: number;
  readonly #folder: string;
  readonly #logPath: string;
  readonly #name: string;

  private constructor(program: Program, port: number, folder: string) {
    this.url = `redis://127.0.0.1:${port}`;
    this.#port = port;
    this.#folder = join(folder, 'redis');
    this.#logPath = join(folder, 'redis.log');
    this.#name = `${program.flavour} ${program.version}`;
    this.process = new Killable({
      path: program.path,
      args: [
        ...['--bind', '127.0.0.1', '--port', String(port), '--dir', this.#folder],
        ...['--daemonize', 'no', ...REDIS_SETTINGS],
      ],
      environment: program.environment,
      logPath: this.#logPath,
    });
  }

  static async create(program: Program, folder: string): Promise<RedisServer> {
    const server = new RedisServer(program, await freePort(), folder);
    await mkdir(server.#folder, { recursive: true });
    return server;
  }

  /** Starts it on the data that it has, and resolves when it serves. */
  async start(): Promise<void> {
    const running = await this.process.start();
    await untilReady({
      ...running,
      name: this.#name,
      logPath: this.#logPath,
      probe: () => pingRedis('127.0.0.1', this.#port),
      say: () => {},
    });
  }

  /** Copies the data as the disk has it at one moment. */
  async copyData(to: string): Promise<void> {
    this.process.signal('SIGSTOP');
    try {
      await cp(this.#folder, to, { recursive: true });
    } finally {
      this.process.signal('SIGCONT');
    }
  }

  /** Puts other data in the place of its own. It must not run. */
  async replaceData(from: string): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
    await cp(from, this.#folder, { recursive: true });
  }
}
