import type { HoldOutcome, HoldRequest } from '../domain/outcomes.ts';

/** Shorter than the 250 ms for which an expired hold may cause a refusal. */
const REMEMBERED_MS = 200;
const PRODUCTS_MAX = 1_000;

type SoldOutcome = Extract<HoldOutcome, { status: 'sold_out' }>;

interface Refusal {
  /** By this process's monotonic clock. */
  untilMs: number;
  /** The most units that were refused: of more, another rule may have its say. */
  qty: number;
  hadBuyer: boolean;
  retryAtMs: number;
}

/**
 * What Redis has just said of products of which nothing is left: most requests of a flash sale get the same
 * refusal, and need no call of their own. It is remembered for a moment only, never beyond the next
 * deadline of a hold, and until this process gives units back; so units that come back elsewhere are
 * refused for 200 ms at most. Who sends an Idempotency-Key may have a hold already, and who asks for
 * several products is refused by all of them: both go to Redis.
 */
export class SoldOut {
  readonly #refusalsByLane = new Map<number, Map<number, Refusal>>();

  /** Takes note of a refusal that has just come. */
  remember(lane: number, { items, buyer }: HoldRequest, outcome: SoldOutcome): void {
    const qty = items[0]?.qty ?? 0;
    // While some units are left, a smaller hold changes what is true.
    if (items.length > 1 || outcome.available > 0) return;
    const refusals = this.#refusalsByLane.get(lane) ?? new Map<number, Refusal>();
    this.#refusalsByLane.set(lane, refusals);
    if (refusals.size >= PRODUCTS_MAX) refusals.clear();
    const now = performance.now();
    const known = this.#known(refusals, outcome.productId, now);
    refusals.set(outcome.productId, {
      untilMs: now + Math.min(REMEMBERED_MS, Math.max(0, outcome.retryAfterMs)),
      qty: Math.max(qty, known?.qty ?? 0),
      hadBuyer: buyer !== '' && (known?.hadBuyer ?? true),
      retryAtMs: now + outcome.retryAfterMs,
    });
  }

  /** The refusal that Redis would give, where it is known. */
  find(lane: number, { items, buyer, key }: HoldRequest): SoldOutcome | undefined {
    const refusals = this.#refusalsByLane.get(lane);
    const item = items[0];
    if (!refusals || !item || items.length > 1 || key !== '') return undefined;
    const now = performance.now();
    const refusal = this.#known(refusals, item.productId, now);
    if (!refusal || item.qty > refusal.qty) return undefined;
    // Without a buyer, a product that limits units per buyer has another refusal.
    if (refusal.hadBuyer && buyer === '') return undefined;
    const retryAfterMs = Math.ceil(refusal.retryAtMs - now);
    return { status: 'sold_out', productId: item.productId, available: 0, retryAfterMs };
  }

  /** Units of the lane may have come back. */
  forget(lane: number): void {
    this.#refusalsByLane.get(lane)?.clear();
  }

  #known(refusals: Map<number, Refusal>, productId: number, now: number): Refusal | undefined {
    const refusal = refusals.get(productId);
    return refusal && now < refusal.untilMs ? refusal : undefined;
  }
}
