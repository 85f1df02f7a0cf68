import { Unavailable } from './unavailable.ts';

/** A moment on this process's monotonic clock after which the caller no longer waits. */
export class Deadline {
  readonly #atMs: number;

  constructor(budgetMs: number) {
    this.#atMs = performance.now() + budgetMs;
  }

  remainingMs(): number {
    return this.#atMs - performance.now();
  }

  passed(): boolean {
    return this.remainingMs() <= 0;
  }

  /** The same moment, or `limitMs` from now where that comes first. */
  atMost(limitMs: number): Deadline {
    return new Deadline(Math.min(limitMs, this.remainingMs()));
  }
}

/**
 * The promise's result, or `Unavailable` at the deadline. What was promised goes on; its late
 * result is dropped.
 */
export async function within<T>(deadline: Deadline, what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Unavailable(`${what} did not answer in time`)),
      Math.max(1, deadline.remainingMs()),
    );
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
    // A rejection that comes after the deadline has no reader any more.
    promise.catch(() => {});
  }
}
