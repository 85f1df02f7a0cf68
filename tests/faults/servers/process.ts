import { type AddressInfo, createServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { type Launch, launch, type ServerProcess } from '../../../src/embedded/server-process.ts';

/** A process that can be killed, frozen and started again. It ends with this one, whatever ends that. */
export class Killable {
  readonly #launch: Launch;
  #process: ServerProcess | undefined;

  constructor(options: Launch) {
    this.#launch = options;
  }

  async start(): Promise<ServerProcess> {
    if (this.isRunning) throw new Error(`${this.#launch.path} runs already`);
    this.#process = await launch(this.#launch);
    return this.#process;
  }

  get isRunning(): boolean {
    return this.#process !== undefined && this.#process.ended() === undefined;
  }

  get running(): ServerProcess {
    if (!this.#process) throw new Error(`${this.#launch.path} was never started`);
    return this.#process;
  }

  /** Sends a signal to the process, and to nobody else: it leads a group of its own. */
  signal(signal: NodeJS.Signals): void {
    if (this.isRunning) process.kill(-this.running.pid, signal);
  }

  /** SIGKILL; resolves when it has ended. */
  async kill(): Promise<void> {
    this.signal('SIGKILL');
    // Looked at rather than awaited: nobody but a timer keeps this process while it ends.
    while (this.isRunning) await pause(5);
  }

  /** Ends it in whatever state it is. */
  async end(): Promise<void> {
    if (!this.isRunning) return;
    // A stopped process would not hear SIGTERM.
    this.signal('SIGCONT');
    await this.running.stop();
  }
}

/** A port of 127.0.0.1 that nobody uses, to be kept over restarts. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
