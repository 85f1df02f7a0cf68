import type { Answer } from './shop.ts';

const UNEXPECTED_MAX = 10;

/** A payment event as the provider was answered. */
export interface ToldReceipt {
  orderId: string;
  outcome: string;
}

/**
 * Everything that the crowd was told, kept apart from the engine's own books: the audit compares
 * the two.
 */
export class Ledger {
  /** By id: `held`, or `released` once that was answered. */
  readonly holds = new Map<string, string>();
  /** By id: the state that was told last. */
  readonly orders = new Map<string, string>();
  /** By reference. */
  readonly receipts = new Map<string, ToldReceipt>();
  /** Of each answered hold request. */
  readonly holdMs: number[] = [];
  refusalCount = 0;
  /** Buyers who left without a hold. */
  refusedBuyerCount = 0;
  /** Buyers who gave up without knowing what became of their request. */
  unservedBuyerCount = 0;
  /** Answers that nothing is known by: 503, or none at all. */
  unknownCount = 0;
  /** Requests sent again with their `Idempotency-Key`, or deliveries of the same event. */
  repeatCount = 0;
  /** Holds and orders that ran out before their buyer came with the next step. */
  tooLateCount = 0;
  /** Events that came before their order. */
  earlyEventCount = 0;
  /** Events that came after the payment window of their order. */
  lateEventCount = 0;
  paidCount = 0;
  /** What should not have been answered, the first few. */
  readonly unexpected: string[] = [];
  /** Hold requests answered until each buyer had an answer, and how long that took. */
  rush: { answerCount: number; ms: number } | undefined;

  readonly #startedAt = performance.now();
  #unansweredBuyerCount: number;

  constructor(buyerCount: number) {
    this.#unansweredBuyerCount = buyerCount;
  }

  elapsedMs(): number {
    return performance.now() - this.#startedAt;
  }

  holdAnswered({ ms, status }: Answer): void {
    if (status !== 0) this.holdMs.push(ms);
  }

  buyerAnswered(): void {
    this.#unansweredBuyerCount -= 1;
    if (this.#unansweredBuyerCount > 0) return;
    this.rush ??= { answerCount: this.holdMs.length, ms: this.elapsedMs() };
  }

  /** A repeat of the order's first answer says `pending` whatever became of it since. */
  ordered(id: string): void {
    if (!this.orders.has(id)) this.orders.set(id, 'pending');
  }

  settled(reference: string, orderId: string, { body }: Answer): void {
    const outcome = (body.status === 'duplicate' ? body.outcome : body.status) ?? '';
    const first = this.receipts.get(reference);
    if (first && first.outcome !== outcome) {
      this.surprised(`${reference} was told ${first.outcome}, then ${outcome}`);
    }
    this.receipts.set(reference, { orderId, outcome });
    if (body.order_status === 'paid' && this.orders.get(orderId) !== 'paid') this.paidCount += 1;
    if (body.order_status) this.orders.set(orderId, body.order_status);
  }

  surprised(what: string): void {
    if (this.unexpected.length < UNEXPECTED_MAX) this.unexpected.push(what);
  }

  unexpectedAnswer(what: string, { status, body }: Answer): void {
    this.surprised(`${what} was answered ${status} ${body.code ?? ''}`.trim());
  }
}
