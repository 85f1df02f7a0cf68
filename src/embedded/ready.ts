import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const READY_MS_MAX = 120_000;
const SLOW_MS = 5_000;
const POLL_MS = 20;
const PORT_ATTEMPTS_MAX = 3;
const PORT_TAKEN = /address already in use|port is already allocated|do you already have another/i;

export interface Startup {
  /** For people: "MariaDB 10.11.14". */
  name: string;
  /** How the server ended; undefined while it runs. */
  ended(): string | undefined;
  logTail(): Promise<string>;
  logPath: string;
  /** One question to the server; a rejection means "not yet". */
  probe(): Promise<void>;
  say(line: string): void;
}

/** Resolves when the server answers. Throws, with its log's end, when it ends or takes 2 minutes. */
export async function untilReady(startup: Startup): Promise<void> {
  const startedAtMs = Date.now();
  let isSlow = false;
  for (;;) {
    const reason = await startup.probe().then(
      () => undefined,
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    );
    const ended = startup.ended();
    if (ended !== undefined) throw await failure(startup, `ended while starting (${ended})`);
    if (reason === undefined) return;
    const waitedMs = Date.now() - startedAtMs;
    if (waitedMs > READY_MS_MAX) {
      throw await failure(startup, `did not answer within ${READY_MS_MAX / 1000} s (${reason})`);
    }
    if (waitedMs > SLOW_MS && !isSlow) {
      isSlow = true;
      startup.say(`${startup.name} is still starting (log: ${startup.logPath}) ...`);
    }
    await sleep(POLL_MS);
  }
}

async function failure(startup: Startup, what: string): Promise<Error> {
  const tail = await startup.logTail();
  return new Error(`${startup.name} ${what}\n${tail}\nlog: ${startup.logPath}`);
}

/** Starts something on a free port of 127.0.0.1, on another one when that was taken meanwhile. */
export async function onFreePort<T>(start: (port: number) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await start(await freePort());
    } catch (error) {
      const isTaken = error instanceof Error && PORT_TAKEN.test(error.message);
      if (!isTaken || attempt === PORT_ATTEMPTS_MAX) throw error;
    }
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({ port: 0, host: '127.0.0.1' }, () => {
      const address = server.address();
      server.close(() => {
        if (address === null || typeof address === 'string') reject(new Error('no port'));
        else resolve(address.port);
      });
    });
  });
}
