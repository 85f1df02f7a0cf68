import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { closeSync, openSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { isMainThread } from 'node:worker_threads';

const STOP_MS_MAX = 15_000;
const LOG_BYTES_MAX = 5_000_000;
const TAIL_BYTES = 4_000;
const TAIL_LINES = 12;

/**
 * How a server is made to stop with this process, whatever ends it (SIGKILL included):
 * `setpriv` lets the kernel send SIGTERM; `pipe` is a shell that waits for the end of its input.
 */
export type Tether = 'setpriv' | 'pipe';

export interface Launch {
  path: string;
  args: readonly string[];
  environment: Record<string, string>;
  /** Standard output and error are appended here. */
  logPath: string;
  tether?: Tether;
}

export interface ServerProcess {
  readonly pid: number;
  /** How it ended ("exit code 1", "SIGKILL"); undefined while it runs. */
  ended(): string | undefined;
  readonly exited: Promise<string>;
  /** SIGTERM, and SIGKILL after 15 s. Resolves when it has ended; safe to call twice. */
  stop(): Promise<void>;
  /** The last lines that this process wrote to its log. */
  logTail(): Promise<string>;
}

// The server's end is the shell's end, and the end of the shell's input is the server's SIGTERM.
const PIPE_SCRIPT = `
exec 3<&0 </dev/null
"$@" 3<&- &
server=$!
trap 'kill -TERM "$server" 2>/dev/null' TERM
{ while read -r _; do :; done; kill -TERM "$server" 2>/dev/null; } <&3 &
watcher=$!
exec 3<&-
wait "$server"; code=$?
while kill -0 "$server" 2>/dev/null; do wait "$server"; code=$?; done
kill "$watcher" 2>/dev/null
exit "$code"
`;

/** Starts a server in a session of its own, so that Ctrl-C reaches the application only. */
export async function launch(options: Launch): Promise<ServerProcess> {
  const tether = options.tether ?? (await availableTether());
  const command = [options.path, ...options.args];
  const [path = '', ...args] =
    tether === 'setpriv'
      ? ['setpriv', '--pdeathsig', 'TERM', ...command]
      : ['/bin/sh', '-c', PIPE_SCRIPT, 'sh', ...command];
  const { logFile, logStart } = openLog(options.logPath);
  const child = spawn(path, args, {
    detached: true,
    stdio: [tether === 'pipe' ? 'pipe' : 'ignore', logFile, logFile],
    env: { ...process.env, ...options.environment },
  });
  closeSync(logFile);
  // A caller that forgets to stop must not hang for it: the tether ends the server.
  child.unref();
  (child.stdin as unknown as { unref(): void } | null)?.unref();
  return supervise(child, () => readTail(options.logPath, logStart));
}

/** Runs a program to its end, and fails with its log's end. It dies with this process. */
export async function runToEnd(options: Launch & { input: string }): Promise<void> {
  const isTethered = (await availableTether()) === 'setpriv';
  const prefix = isTethered ? ['setpriv', '--pdeathsig', 'KILL'] : [];
  const [path = '', ...args] = [...prefix, options.path, ...options.args];
  const { logFile, logStart } = openLog(options.logPath);
  const child = spawn(path, args, {
    detached: true,
    stdio: ['pipe', logFile, logFile],
    env: { ...process.env, ...options.environment },
  });
  closeSync(logFile);
  // EPIPE: it ended before it read everything; the exit code tells.
  child.stdin?.on('error', () => undefined).end(options.input);
  const ended = await endOf(child);
  if (ended === 'exit code 0') return;
  const tail = await readTail(options.logPath, logStart);
  throw new Error(`${options.path} failed (${ended})\n${tail}\nlog: ${options.logPath}`);
}

function supervise(child: ChildProcess, logTail: () => Promise<string>): ServerProcess {
  const pid = child.pid ?? -1;
  let ended: string | undefined;
  const exited = endOf(child).then((how) => {
    ended = how;
    return how;
  });
  let stopping: Promise<void> | undefined;
  const stop = async () => {
    if (ended !== undefined || pid === -1) return;
    child.kill('SIGTERM');
    const timer = new AbortController();
    await Promise.race([exited, sleep(STOP_MS_MAX, undefined, { signal: timer.signal })]);
    timer.abort();
    if (ended !== undefined) return;
    // The whole group: with a pipe tether the server is the shell's child.
    process.kill(-pid, 'SIGKILL');
    await exited;
  };
  return {
    pid,
    exited,
    ended: () => ended,
    stop: () => {
      stopping ??= stop();
      return stopping;
    },
    logTail,
  };
}

function endOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`));
  });
}

function openLog(path: string): { logFile: number; logStart: number } {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  const isTooLong = size > LOG_BYTES_MAX;
  if (isTooLong) closeSync(openSync(path, 'w'));
  return { logFile: openSync(path, 'a'), logStart: isTooLong ? 0 : size };
}

async function readTail(path: string, logStart: number): Promise<string> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const from = Math.max(logStart, size - TAIL_BYTES);
    const { buffer } = await file.read({
      buffer: Buffer.alloc(Math.max(0, size - from)),
      position: from,
    });
    return buffer.toString('utf8').trimEnd().split('\n').slice(-TAIL_LINES).join('\n');
  } finally {
    await file.close();
  }
}

let detected: Promise<Tether> | undefined;

function availableTether(): Promise<Tether> {
  // The kernel's signal follows the thread that started the child, so a worker thread cannot use
  // it.
  if (!isMainThread) return Promise.resolve('pipe');
  // Tried rather than looked up: busybox has a setpriv without --pdeathsig.
  detected ??= promisify(execFile)('setpriv', ['--pdeathsig', 'TERM', 'true']).then(
    () => 'setpriv' as const,
    () => 'pipe' as const,
  );
  return detected;
}
