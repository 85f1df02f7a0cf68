import { type Database, query } from '../db/client.ts';
import { giveUpReceipt, listOpenReceipts, type Receipt } from '../db/receipts.ts';
import { Deadline } from '../domain/deadline.ts';
import { eachOf } from '../domain/each.ts';
import type { ReceiptOutcome } from '../domain/outcomes.ts';
import type { Logger } from '../log.ts';
import type { Inbox } from './inbox.ts';

const PAGE = 100;
const SETTLE_LIMIT_MS = 3_000;
/** Longer than a hold can live: what an event waits for does not come any more. */
const GIVE_UP_MS = 24 * 3_600_000;

export interface ReceiptSweeper {
  /** Looks at one page of open receipts, and goes on from there the next time. */
  sweep: () => Promise<void>;
}

/**
 * Finds the payments that nobody came back for: a process died between receipt and outcome, or the
 * event was there before its order. `openMs` is how long a receipt must have been open. After a day,
 * money without an order is due back, and anything else is ignored.
 */
export function createReceiptSweeper(
  inbox: Inbox,
  database: Database,
  log: Logger,
  openMs: number,
  giveUpMs = GIVE_UP_MS,
): ReceiptSweeper {
  const giveUp = async (receipt: Receipt): Promise<ReceiptOutcome | undefined> => {
    const outcome = receipt.status === 'success' ? 'refund_due' : 'ignored';
    const deciding = giveUpReceipt(database, receipt, outcome, giveUpMs);
    return (await query(new Deadline(SETTLE_LIMIT_MS), 'receipt', deciding)) ? outcome : undefined;
  };

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
        const { reference, orderId: order } = receipt;
        if (outcome.status === 'order_not_found' || outcome.status === 'order_not_paid') {
          if (receipt.receivedAt.getTime() > Date.now() - giveUpMs) return;
          const givenUp = await giveUp(receipt);
          if (givenUp)
            log.warn({ reference, order, outcome: givenUp }, 'a payment without an order');
          return;
        }
        log.info({ reference, order, outcome: outcome.status }, 'open receipt settled');
      });
    },
  };
}
