import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const START_MAX_MS = 60_000;
const INHERITED = /^(PATH|HOME|TMPDIR|XDG_\w+|REDIS_SERVER|MYSQLD|DOCKER_HOST|TESTCONTAINERS_\w+)$/;

/** What a finished command said. */
export interface Finished {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** A `holdfast` command as a process of its own, with everything it prints. */
export class HoldfastProcess {
  readonly child: ChildProcess;
  stdout = '';
  stderr = '';

  constructor(args: string[], environment: Record<string, string>) {
    // Nothing of the tests' own environment but what finds programs, folders and Docker.
    const inherited = Object.entries(process.env).filter(([name]) => INHERITED.test(name));
    this.child = spawn(process.execPath, [main, ...args], {
      env: { ...Object.fromEntries(inherited), ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child.stdout?.on('data', (text) => {
      this.stdout += text;
    });
    this.child.stderr?.on('data', (text) => {
      this.stderr += text;
    });
  }

  async finished(): Promise<Finished> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      await once(this.child, 'close');
    }
    return { code: this.child.exitCode, stdout: this.stdout, stderr: this.stderr };
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Finished> {
    this.child.kill(signal);
    return this.finished();
  }

  /** The URL it serves, once it says that it is ready. */
  async ready(): Promise<string> {
    const giveUpAt = performance.now() + START_MAX_MS;
    for (;;) {
      const url = /ready at (\S+)/.exec(this.stdout)?.[1];
      // The last line of the welcome: all of it is there.
      if (url && this.stdout.includes('Ctrl-C')) return url;
      if (this.child.exitCode !== null || performance.now() > giveUpAt) {
        throw new Error(`serve did not start:\n${this.stdout}\n${this.stderr}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

/** Runs a command to its end. */
export function holdfast(args: string[], environment: Record<string, string>): Promise<Finished> {
  return new HoldfastProcess(args, environment).finished();
}

export interface Answer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests look at what JSON came, whatever it is.
  body: any;
  headers: Headers;
}

/** One HTTP call with a JSON body. */
export async function call(
  method: string,
  url: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const response = await fetch(url, {
    method,
    headers: body === undefined ? headers : { 'content-type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: await response.json(), headers: response.headers };
}
