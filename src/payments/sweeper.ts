import { type Database, query } from '../db/client.ts';
import { listOpenReceipts, type Receipt } from '../db/receipts.ts';
import { Deadline } from '../domain/deadline.ts';
import { eachOf } from '../domain/each.ts';
import type { Logger } from '../log.ts';
import type { Inbox } from './inbox.ts';

const PAGE = 100;
const SETTLE_LIMIT_MS = 3_000;

export interface ReceiptSweeper {
  /** Looks at one page of open receipts, and goes on from there the next time. */
  sweep: () => Promise<void>;
}

/**
 * Finds the payments that nobody came back for: a process died between receipt and outcome, or the
 * event was there before its order. `openMs` is how long a receipt must have been open.
 */
export function createReceiptSweeper(
  inbox: Inbox,
  database: Database,
  log: Logger,
  openMs: number,
): ReceiptSweeper {
  // Receipts of orders that never come stay open; going round keeps them from hiding the others.
  let after: Receipt | undefined;
  return {
    sweep: async () => {
      const before = new Date(Date.now() - openMs);
      const reading = listOpenReceipts(database, before, after, PAGE);
      const receipts = await query(new Deadline(SETTLE_LIMIT_MS), 'open receipts', reading);
      after = receipts.length === PAGE ? receipts.at(-1) : undefined;
      await eachOf(receipts, async (receipt) => {
        const outcome = await inbox.settleOpen(receipt, new Deadline(SETTLE_LIMIT_MS));
        if (outcome.status === 'order_not_found') return;
        const { reference, orderId: order } = receipt;
        log.info({ reference, order, outcome: outcome.status }, 'open receipt settled');
      });
    },
  };
}
