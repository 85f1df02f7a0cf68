import { createHash } from 'node:crypto';
import { Deadline, within } from '../domain/deadline.ts';
import { newReservationId } from '../domain/ids.ts';
import type { HoldOutcome, HoldRequest } from '../domain/outcomes.ts';
import { formatItems } from '../domain/reservation.ts';
import { Unavailable } from '../domain/unavailable.ts';
import { type HoldCommand, type HoldReply, holdScript } from '../redis/bindings/hold.ts';
import { redisFailure } from '../redis/client.ts';
import { laneKey } from '../redis/keys.ts';
import type { EngineParts } from './parts.ts';
import type { Products } from './products.ts';
import type { SoldOut } from './sold-out.ts';

/** Unless the parts say otherwise. */
const BATCH_MAX = 128;
/** Pause before asking again for units that are still coming back. */
const AGAIN_MS = 5;
/** Requests of one turn whose deadlines are no further apart than this share a timer. */
const SAME_MS = 50;

interface Waiting {
  id: string;
  request: HoldRequest;
  fingerprint: string;
  deadline: Deadline;
  resolve: (outcome: HoldOutcome) => void;
  reject: (error: Unavailable) => void;
}

// Only compared under the same Idempotency-Key, so it is made only where there is one.
function fingerprintOf({ items, buyer, key }: HoldRequest): string {
  if (key === '') return '';
  const content = `${formatItems(items)}/${buyer}`;
  return createHash('sha256').update(content).digest('base64url').slice(0, 22);
}

/**
 * Grants holds. Requests for a lane that arrive in the same turn of the event loop share one script
 * call; each gets an answer of its own.
 */
export class Holds {
  readonly #parts: EngineParts;
  readonly #products: Products;
  readonly #soldOut: SoldOut;
  readonly #batchMax: number;
  readonly #queues = new Map<number, Waiting[]>();

  constructor(parts: EngineParts, products: Products, soldOut: SoldOut) {
    this.#parts = parts;
    this.#products = products;
    this.#soldOut = soldOut;
    this.#batchMax = parts.holdBatchMax ?? BATCH_MAX;
  }

  async hold(request: HoldRequest, deadline: Deadline): Promise<HoldOutcome> {
    if (this.#parts.memory.isFull()) return { status: 'overloaded' };
    const known = this.#products.knownLane(request.items);
    if (known !== undefined) return this.#holdIn(known, request, deadline);
    const lanes = await this.#products.lanesOf(request.items, deadline);
    const lane = lanes[0]?.lane ?? 0;
    for (const { productId, lane: found } of lanes) {
      if (found === undefined) return { status: 'product_not_found', productId };
      if (found !== lane) return { status: 'items_in_different_lanes' };
    }
    return this.#holdIn(lane, request, deadline);
  }

  #holdIn(
    lane: number,
    request: HoldRequest,
    deadline: Deadline,
  ): HoldOutcome | Promise<HoldOutcome> {
    const refusal = this.#soldOut.find(lane, request);
    if (refusal) return refusal;
    return new Promise((resolve, reject) => {
      const fingerprint = fingerprintOf(request);
      const id = newReservationId(lane);
      this.#enqueue(lane, { id, request, fingerprint, deadline, resolve, reject });
    });
  }

  #enqueue(lane: number, waiting: Waiting): void {
    const queue = this.#queues.get(lane) ?? [];
    if (queue.length === 0) {
      this.#queues.set(lane, queue);
      setImmediate(() => this.#flush(lane));
    }
    queue.push(waiting);
    if (queue.length >= this.#batchMax) this.#flush(lane);
  }

  #flush(lane: number): void {
    const batch = this.#queues.get(lane);
    if (!batch) return;
    this.#queues.delete(lane);
    this.#send(lane, batch).catch((error) => {
      // The outcome is unknown: every caller of the batch is told so, and nothing is sent again.
      const failure = redisFailure(error, 'hold');
      for (const { reject } of batch) reject(failure);
    });
  }

  async #send(lane: number, batch: Waiting[]): Promise<void> {
    const { link, idempotencyTtlMs, ring } = this.#parts;
    const gate = link.gate(lane);
    const remaining = batch.map(({ deadline }) => deadline.remainingMs());
    const latestMs = Math.max(...remaining);
    for (const [index, { reject }] of batch.entries()) {
      const remainingMs = remaining[index] ?? 0;
      if (remainingMs > latestMs - SAME_MS) continue;
      setTimeout(() => reject(new Unavailable('hold: no time left')), remainingMs).unref();
    }
    const requests = batch.map(
      ({ id, request, fingerprint, deadline }): HoldCommand => ({
        id,
        lateMs: link.lateMs(deadline),
        items: request.items,
        buyer: request.buyer,
        key: request.key,
        fingerprint,
      }),
    );
    const sending = holdScript.run(link.redis, laneKey(lane), {
      ...gate,
      idempotencyTtlMs,
      requests,
    });
    const reply = await within(new Deadline(latestMs), 'Redis (hold)', sending);
    link.observe(reply.nowMs);
    if (reply.status !== 'batch') throw link.refused(lane, reply.status);
    ring(lane, false);
    for (const [index, waiting] of batch.entries()) {
      const answer = reply.replies[index];
      if (answer) this.#answer(lane, waiting, answer, reply.nowMs);
    }
  }

  #answer(lane: number, waiting: Waiting, reply: HoldReply, nowMs: number): void {
    if (reply.status !== 'again' && reply.status !== 'late') {
      const outcome = outcomeOf(waiting, reply, nowMs);
      if (outcome.status === 'sold_out') this.#soldOut.remember(lane, waiting.request, outcome);
      waiting.resolve(outcome);
    } else if (waiting.deadline.remainingMs() <= AGAIN_MS) {
      waiting.reject(new Unavailable('hold: no time left'));
    } else {
      // Late by a clock that ran behind, which this reply has set right; or units are coming back.
      setTimeout(() => this.#enqueue(lane, waiting), AGAIN_MS);
    }
  }
}

function outcomeOf(
  { id, request }: Waiting,
  reply: Exclude<HoldReply, { status: 'again' | 'late' }>,
  nowMs: number,
): HoldOutcome {
  switch (reply.status) {
    case 'held':
    case 'repeated':
      return {
        status: 'held',
        hold: {
          id: reply.status === 'held' ? id : reply.id,
          state: 'held',
          items: request.items,
          amountMinor: reply.amountMinor,
          currency: reply.currency,
          expiresAtMs: reply.deadlineMs,
        },
      };
    case 'mismatch':
      return { status: 'idempotency_mismatch' };
    case 'overloaded':
    case 'mixed_currencies':
      return { status: reply.status };
    case 'unknown_product':
      return { status: 'product_not_found', productId: reply.productId };
    case 'paused':
      return { status: 'sale_paused', productId: reply.productId };
    case 'not_started':
      return { ...reply, status: 'sale_not_started' };
    case 'ended':
      return { ...reply, status: 'sale_ended' };
    case 'sold_out': {
      const { productId, available, earliestDeadlineMs } = reply;
      // Nothing due: units can still come back by a release, or by ops.
      const retryAfterMs = earliestDeadlineMs === 0 ? 1_000 : earliestDeadlineMs - nowMs;
      return { status: 'sold_out', productId, available, retryAfterMs };
    }
    case 'qty_above_limit':
    case 'buyer_required':
    case 'buyer_limit':
      return reply;
  }
}
