import type { Audit } from './audit.ts';
import type { Sale } from './sale.ts';

/** The value that `share` of the sorted ones do not exceed, to a tenth; 0 of none. */
function percentile(sorted: Float64Array, share: number): number {
  const index = Math.max(0, Math.ceil(sorted.length * share) - 1);
  return Math.round((sorted[index] ?? 0) * 10) / 10;
}

function speedOf({ ledger }: Sale) {
  const sorted = Float64Array.from(ledger.holdMs).sort();
  const { answerCount, ms } = ledger.rush ?? { answerCount: sorted.length, ms: ledger.elapsedMs() };
  return {
    hold_requests: sorted.length,
    /** Answered in the rush: until every buyer had a first answer. */
    holds_per_second: Math.round((answerCount * 1_000) / Math.max(1, ms)),
    p50_ms: percentile(sorted, 0.5),
    p99_ms: percentile(sorted, 0.99),
  };
}

/** The whole result for machines. `sold` and the books are units; all else is a number of things. */
export function reportOf(sale: Sale, seconds: number, audit: Audit) {
  const { ledger, plan } = sale;
  const { holds, orders, receipts, books } = audit;
  return {
    ok: audit.ok,
    sold: audit.sold,
    paid: orders.paid,
    refused: ledger.refusedBuyerCount,
    oversold: audit.oversold,
    drift: audit.drift,
    lost: audit.lost,
    doubled: audit.doubled,
    unfinished: audit.unfinished,
    ...speedOf(sale),
    expired: holds.expired + orders.expired,
    released: holds.released,
    cancelled: orders.cancelled,
    refund_due: orders.refundDue,
    holds,
    orders: {
      paid: orders.paid,
      cancelled: orders.cancelled,
      expired: orders.expired,
      refund_due: orders.refundDue,
    },
    payment_events: {
      applied: receipts.paid + receipts.failed,
      applied_paid: receipts.paid,
      applied_failed: receipts.failed,
      ignored: receipts.ignored,
      refund_due: receipts.refundDue,
      refund_due_orders: audit.ordersToRefund,
      without_order: receipts.open,
    },
    sold_out_answers: ledger.refusalCount,
    repeats: ledger.repeatCount,
    early_events: ledger.earlyEventCount,
    late_events: ledger.lateEventCount,
    too_late: ledger.tooLateCount,
    unknown_answers: ledger.unknownCount,
    unserved: ledger.unservedBuyerCount,
    buyers: plan.buyers,
    stock: plan.stock,
    seed: plan.seed,
    product_id: plan.productId,
    requests: sale.shop.requestCount,
    seconds: Math.round(seconds * 10) / 10,
    books,
    findings: audit.findings,
  };
}

export type Report = ReturnType<typeof reportOf>;
