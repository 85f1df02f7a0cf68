import { createHash } from 'node:crypto';
import type { Deadline } from '../domain/deadline.ts';
import { newReservationId } from '../domain/ids.ts';
import type { HoldOutcome, HoldRequest } from '../domain/outcomes.ts';
import { formatItems } from '../domain/reservation.ts';
import { type HoldCommand, type HoldReply, holdScript } from '../redis/bindings/hold.ts';
import { laneKey } from '../redis/keys.ts';
import { Batches, type Final } from './batches.ts';
import type { EngineParts } from './parts.ts';
import type { Products } from './products.ts';
import type { SoldOut } from './sold-out.ts';

// Only compared under the same Idempotency-Key, so it is made only where there is one.
function fingerprintOf({ items, buyer, key }: HoldRequest): string {
  if (key === '') return '';
  const content = `${formatItems(items)}/${buyer}`;
  return createHash('sha256').update(content).digest('base64url').slice(0, 22);
}

/** Grants holds. */
export class Holds {
  readonly #parts: EngineParts;
  readonly #products: Products;
  readonly #soldOut: SoldOut;
  readonly #batches: Batches<Omit<HoldCommand, 'lateMs'>, HoldReply>;

  constructor(parts: EngineParts, products: Products, soldOut: SoldOut) {
    const { link, idempotencyTtlMs } = parts;
    this.#parts = parts;
    this.#products = products;
    this.#soldOut = soldOut;
    this.#batches = new Batches(parts, {
      what: 'hold',
      isAwaited: false,
      send: (lane, gate, requests) =>
        holdScript.run(link.redis, laneKey(lane), { ...gate, idempotencyTtlMs, requests }),
    });
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
    const { items, buyer, key } = request;
    const id = newReservationId(lane);
    const fingerprint = fingerprintOf(request);
    const command = { lateMs: 0, id, items, buyer, key, fingerprint };
    return new Promise((resolve, reject) => {
      const answer = (reply: Final<HoldReply>, nowMs: number) => {
        const outcome = outcomeOf(command, reply, nowMs);
        if (outcome.status === 'sold_out') this.#soldOut.remember(lane, request, outcome);
        resolve(outcome);
      };
      this.#batches.add(lane, { command, deadline, answer, fail: reject });
    });
  }
}

function outcomeOf(
  { id, items }: HoldCommand,
  reply: Final<HoldReply>,
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
          items,
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
