import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Killable } from './process.ts';

const START_MS_MAX = 60_000;
const COMMAND_MS_MAX = 60_000;

export interface ServeOptions {
  /** A compiled checkout: dist, lua, drizzle and node_modules. */
  code: string;
  environment: Record<string, string>;
  logPath: string;
}

/** One `holdfast serve`. */
export class HoldfastServe {
  readonly process: Killable;
  readonly roles: string;
  readonly #logPath: string;
  #url = '';

  constructor({ code, environment, logPath }: ServeOptions) {
    this.roles = environment.ROLES ?? '';
    this.#logPath = logPath;
    this.process = new Killable({
      path: process.execPath,
      args: [join(code, 'dist/main.js'), 'serve'],
      environment,
      logPath,
    });
  }

  get hasApi(): boolean {
    return this.roles.includes('api');
  }

  get url(): string {
    return this.#url;
  }

  /** Starts it, again or for the first time; it may answer at another URL than before. */
  async start(): Promise<void> {
    const before = (await this.log()).length;
    const running = await this.process.start();
    const giveUpAt = performance.now() + START_MS_MAX;
    for (;;) {
      const text = (await this.log()).slice(before);
      const url = /ready at (\S+)/.exec(text)?.[1];
      if (url) {
        this.#url = url;
        return;
      }
      const ended = running.ended();
      if (ended || performance.now() > giveUpAt) {
        throw new Error(`holdfast serve ${ended ?? 'is not ready'}:\n${text.slice(-3_000)}`);
      }
      await pause(20);
    }
  }

  /** Everything it ever printed. */
  log(): Promise<string> {
    return readFile(this.#logPath, 'utf8').catch(() => '');
  }
}

export interface CommandResult {
  exitCode: number;
  /** Standard output and error, one behind the other. */
  text: string;
}

/** Runs one `holdfast` command to its end, as somebody on duty would. */
export function runCommand(
  { code, environment }: Omit<ServeOptions, 'logPath'>,
  args: readonly string[],
): Promise<CommandResult> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [join(code, 'dist/main.js'), ...args],
      { env: { PATH: process.env.PATH ?? '', ...environment }, timeout: COMMAND_MS_MAX },
      (error, stdout, stderr) => {
        const exitCode = error ? Number(error.code ?? -1) : 0;
        resolve({ exitCode, text: `${stdout}${stderr}`.trim() });
      },
    );
  });
}
