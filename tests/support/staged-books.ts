import { onTestFinished } from 'vitest';
import { Books, type Found, type ReconcileParts } from '../../src/recovery/reconcile/books.ts';
import type { TestEngine } from './engine.ts';

/** What happens in the middle of a reconciliation, ahead of each of its own steps. */
export interface Stages {
  step?: (step: string) => Promise<void>;
  note?: (found: Found) => Promise<void>;
  reached?: () => Promise<void>;
  ask?: (what: string) => Promise<void>;
  ring?: () => void;
  /** Whether it repairs; true unless told otherwise. */
  fixes?: boolean;
}

class StagedBooks extends Books {
  readonly stages: Stages;

  constructor(stages: Stages, ...rest: ConstructorParameters<typeof Books>) {
    super(...rest);
    this.stages = stages;
  }

  override async step(...step: Parameters<Books['step']>): Promise<void> {
    await this.stages.step?.(step[0]);
    await super.step(...step);
  }

  override async note(found: Found): Promise<void> {
    await this.stages.note?.(found);
    await super.note(found);
  }

  override async reached(lane: number, position: string): Promise<void> {
    await super.reached(lane, position);
    await this.stages.reached?.();
  }

  override async ask<T>(what: string, promise: Promise<T>): Promise<T> {
    const answer = await super.ask(what, promise);
    await this.stages.ask?.(what);
    return answer;
  }
}

/** A run to be led through its parts by a test. */
export async function stagedBooks(t: TestEngine, stages: Stages): Promise<Books> {
  const { link, database, engine, inbox, config, redisUrl } = t;
  const ring = stages.ring ?? (() => {});
  const parts: ReconcileParts = {
    ...{ link, database, engine, inbox, ring, redisUrl },
    lanes: config.lanes,
    openMs: 60_000,
  };
  const connection = await database.pool.getConnection();
  onTestFinished(() => connection.destroy());
  const { fixes = true } = stages;
  const request = { productId: null, fixes, cause: 'command', isPaced: false } as const;
  return new StagedBooks(stages, 'rec_staged', parts, request, connection);
}
