import { type Database, query } from '../db/client.ts';
import { listOpenAdjustments } from '../db/products.ts';
import { Deadline } from '../domain/deadline.ts';
import { eachOf } from '../domain/each.ts';
import type { Engine } from '../engine/engine.ts';
import type { Logger } from '../log.ts';

const SWEEP_EVERY_MS = 1_000;
const LIMIT_MS = 5_000;
const ADJUSTMENTS_AT_ONCE = 100;

export interface SweeperOptions {
  engine: Engine;
  database: Database;
  /** Settles open receipts; see payments/sweeper.ts. */
  sweepReceipts: () => Promise<void>;
  /** How long an adjustment must have been open: its caller may still be at work. */
  openMs: number;
  log: Logger;
}

/**
 * Finishes what processes left half done in MySQL: open receipts, stock adjustments that are not
 * in the journal, products and rules that Redis has not got. Each step is idempotent.
 */
export function startSweeper(options: SweeperOptions): { close: () => Promise<void> } {
  const { engine, database, sweepReceipts, openMs, log } = options;

  const sweepAdjustments = async () => {
    const deadline = new Deadline(LIMIT_MS);
    const before = new Date(Date.now() - openMs);
    const reading = listOpenAdjustments(database, before, ADJUSTMENTS_AT_ONCE);
    const open = await query(deadline, 'adjustments', reading);
    await eachOf(open, async ({ productId, key, delta }) => {
      const limit = new Deadline(LIMIT_MS);
      const outcome = await engine.admin.adjustStock(productId, delta, key, limit);
      log.info({ product: productId, key, delta, outcome: outcome.status }, 'adjustment finished');
    });
  };

  const sweepProducts = async () => {
    const count = await engine.admin.reapply(new Deadline(LIMIT_MS));
    if (count > 0) log.info({ count }, 'products given to Redis again');
  };

  const complaints = new Map<string, string>();
  const attempt = async (what: string, work: () => Promise<void>) => {
    try {
      await work();
      complaints.delete(what);
    } catch (error) {
      const reason = (error as Error).message;
      if (complaints.get(what) !== reason) log.warn({ what, reason }, 'sweep did not finish');
      complaints.set(what, reason);
    }
  };

  let closed = false;
  let timer: NodeJS.Timeout | undefined;
  let sweeping: Promise<void> = Promise.resolve();
  const sweep = async () => {
    await attempt('receipts', sweepReceipts);
    await attempt('adjustments', sweepAdjustments);
    await attempt('products', sweepProducts);
    if (!closed) sweepLater();
  };
  const sweepLater = () => {
    timer = setTimeout(() => {
      sweeping = sweep();
    }, SWEEP_EVERY_MS);
  };
  sweepLater();

  return {
    close: async () => {
      closed = true;
      clearTimeout(timer);
      await sweeping;
    },
  };
}
