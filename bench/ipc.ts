import { type ChildProcess, fork } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { Session } from 'node:inspector/promises';
import { dirname } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** What a parent asks and what a child answers, over Node's own channel. */
interface Question {
  id: number;
  what: string;
  with: unknown;
}

interface Answer {
  id: number;
  value?: unknown;
  error?: string;
}

/** CPU time and memory of a process so far. */
export interface Usage {
  cpuUs: number;
  heapBytes: number;
  rssBytes: number;
}

const STOP_MS_MAX = 15_000;

/** A child process that answers questions. It ends when this process ends. */
export class Child {
  readonly #process: ChildProcess;
  readonly #ended: Promise<void>;
  readonly #open = new Map<
    number,
    { resolve: (value: unknown) => void; reject: (e: Error) => void }
  >();
  #lastId = 0;

  constructor(module: URL) {
    // Node's own flags are inherited, and with them the TypeScript loader.
    this.#process = fork(module, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.#process.on('message', (answer: Answer) => this.#take(answer));
    this.#ended = new Promise((resolve) => {
      this.#process.on('exit', (code, signal) => {
        const how = new Error(`${module.pathname} has ended (${signal ?? `exit code ${code}`})`);
        for (const { reject } of this.#open.values()) reject(how);
        resolve();
      });
    });
  }

  ask<T>(what: string, value?: unknown): Promise<T> {
    this.#lastId += 1;
    const question: Question = { id: this.#lastId, what, with: value };
    return new Promise<T>((resolve, reject) => {
      this.#open.set(question.id, { resolve: resolve as (value: unknown) => void, reject });
      this.#process.send(question, (error) => error && reject(error));
    });
  }

  usage(): Promise<Usage> {
    return this.ask('usage');
  }

  /** Starts a V8 CPU profile; `saveProfile` ends it. */
  startProfile(): Promise<void> {
    return this.ask('startProfile');
  }

  saveProfile(file: string): Promise<void> {
    return this.ask('saveProfile', file);
  }

  /** Lets the child close what it opened, and ends it when that takes too long. */
  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    if (this.#process.connected) this.#process.disconnect();
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), STOP_MS_MAX);
    await this.#ended;
    clearTimeout(timer);
  }

  #take({ id, value, error }: Answer): void {
    const open = this.#open.get(id);
    this.#open.delete(id);
    if (error === undefined) open?.resolve(value);
    else open?.reject(new Error(error));
  }
}

// biome-ignore lint/suspicious/noExplicitAny: each question brings a value of its own.
type Answers = Record<string, (value: any) => unknown>;

function usage(): Usage {
  const { user, system } = process.cpuUsage();
  const { heapUsed, rss } = process.memoryUsage();
  return { cpuUs: user + system, heapBytes: heapUsed, rssBytes: rss };
}

// Twice: the first collection may leave what a finalizer still had to let go.
async function collectGarbage(): Promise<Usage> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  for (let time = 0; time < 2; time += 1) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return usage();
}

const inspector = new Session();

async function startProfile(): Promise<void> {
  inspector.connect();
  await inspector.post('Profiler.enable');
  await inspector.post('Profiler.start');
}

async function saveProfile(file: string): Promise<void> {
  const { profile } = await inspector.post('Profiler.stop');
  inspector.disconnect();
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, JSON.stringify(profile));
}

/** Answers the parent until it hangs up; then closes and ends this process. */
export function answerParent(answers: Answers, close: () => Promise<void> = async () => {}): void {
  const all: Answers = { usage, collectGarbage, startProfile, saveProfile, ...answers };
  const answer = async ({ id, what, with: value }: Question): Promise<Answer> => {
    try {
      return { id, value: await all[what]?.(value) };
    } catch (error) {
      return { id, error: (error as Error).stack ?? String(error) };
    }
  };
  process.on('message', (question: Question) => {
    void answer(question).then((said) => process.connected && process.send?.(said));
  });
  process.on('disconnect', () => void close().finally(() => process.exit()));
  // Ctrl-C reaches the whole group; the parent decides when to stop.
  process.on('SIGINT', () => {});
}
