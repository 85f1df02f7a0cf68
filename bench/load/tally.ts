import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';

/** Answers of a run, or of a part of it. */
export interface Counted {
  /** How often each status was answered. */
  statuses: Record<number, number>;
  answers: number;
  elapsedMs: number;
  p50Ms: number;
  p99Ms: number;
}

interface Count {
  startedAt: number;
  statuses: Record<number, number>;
  latencyUs: RecordableHistogram;
}

const newCount = (): Count => ({
  startedAt: performance.now(),
  statuses: {},
  latencyUs: createHistogram(),
});

function told({ startedAt, statuses, latencyUs }: Count): Counted {
  return {
    statuses,
    answers: Object.values(statuses).reduce((sum, some) => sum + some, 0),
    elapsedMs: performance.now() - startedAt,
    p50Ms: latencyUs.percentile(50) / 1_000,
    p99Ms: latencyUs.percentile(99) / 1_000,
  };
}

/** Counts answers, of a whole run and since it was last asked. */
export class Tally {
  readonly #whole = newCount();
  #part = newCount();

  record(status: number, latencyMs: number): void {
    this.#part.statuses[status] = (this.#part.statuses[status] ?? 0) + 1;
    this.#part.latencyUs.record(Math.max(1, Math.round(latencyMs * 1_000)));
  }

  /** What has come since the last call. */
  part(): Counted {
    const part = this.#part;
    this.#part = newCount();
    for (const [status, some] of Object.entries(part.statuses)) {
      const key = Number(status);
      this.#whole.statuses[key] = (this.#whole.statuses[key] ?? 0) + some;
    }
    this.#whole.latencyUs.add(part.latencyUs);
    return told(part);
  }

  /** What has come since the start. */
  whole(): Counted {
    this.part();
    return told(this.#whole);
  }
}
