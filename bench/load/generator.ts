import { Child } from '../ipc.ts';

/** What to send, and for how long. */
export interface Load {
  port: number;
  /** Whole requests as latin1; all connections together take them in turn, over and over. */
  requests: string[];
  connections: number;
  /** Whichever comes first ends it; requests in flight are answered. */
  seconds: number;
  count: number;
}

export interface LoadResult {
  /** How often each status was answered. */
  statuses: Record<number, number>;
  answers: number;
  elapsedMs: number;
  p50Ms: number;
  p99Ms: number;
  cpuUs: number;
}

/** The load generator, in a process of its own. */
export class Generator {
  readonly #child = new Child(new URL('process.ts', import.meta.url));

  run(load: Partial<Load> & Pick<Load, 'port' | 'requests'>): Promise<LoadResult> {
    const endless = { connections: 64, seconds: 86_400, count: Number.MAX_SAFE_INTEGER };
    return this.#child.ask('run', { ...endless, ...load });
  }

  stop(): Promise<void> {
    return this.#child.stop();
  }
}

/** The bytes of a request with a JSON body. */
export function postRequest(path: string, body: unknown, idempotencyKey?: string): string {
  const text = JSON.stringify(body);
  const key = idempotencyKey === undefined ? '' : `Idempotency-Key: ${idempotencyKey}\r\n`;
  return (
    `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n${key}` +
    `Content-Length: ${text.length}\r\n\r\n${text}`
  );
}

export const getRequest = (path: string): string =>
  `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`;
