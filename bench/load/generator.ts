import { setTimeout as sleep } from 'node:timers/promises';
import { Child } from '../ipc.ts';
import type { Counted } from './tally.ts';

/** What to send, and for how long. */
export interface Load {
  /** Several take the connections in turn. */
  port: number | number[];
  /** Whole requests as latin1; all connections together take them in turn, over and over. */
  requests: string[];
  connections: number;
  /** Whichever comes first ends it; requests in flight are answered. */
  seconds: number;
  count: number;
  /**
   * Requests of all connections, evenly spread over time, instead of as many as they can. The
   * latency of one begins when it was due, even when the answer before it came late.
   */
  perSecond?: number;
}

/** A load with no more said than must be. */
export type AskedLoad = Partial<Load> & Pick<Load, 'port' | 'requests'>;

export interface LoadResult extends Counted {
  cpuUs: number;
}

/** The load generator, in a process of its own; one run at a time. */
export class Generator {
  readonly #child = new Child(new URL('process.ts', import.meta.url));

  run(load: AskedLoad): Promise<LoadResult> {
    const endless = { connections: 64, seconds: 86_400, count: Number.MAX_SAFE_INTEGER };
    return this.#child.ask('run', { ...endless, ...load });
  }

  /** What the run has counted since it began or was last asked. */
  part(): Promise<Counted> {
    return this.#child.ask('part');
  }

  /** The run ends now, whatever it was told at its start. */
  enough(): Promise<void> {
    return this.#child.ask('enough');
  }

  /** The same as `run`, and tells of each second when it is over. */
  async watch(
    load: AskedLoad,
    each: (second: Counted) => Promise<void> | void,
  ): Promise<LoadResult> {
    let isOver = false;
    const running = this.run(load).finally(() => {
      isOver = true;
    });
    const startedAt = performance.now();
    const watching = async () => {
      for (let second = 1; ; second += 1) {
        await sleep(startedAt + second * 1_000 - performance.now());
        if (isOver) return;
        await each(await this.part());
      }
    };
    const [result] = await Promise.all([running, watching()]);
    return result;
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
