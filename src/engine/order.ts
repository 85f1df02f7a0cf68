import { query } from '../db/client.ts';
import { readOrderRow } from '../db/reports.ts';
import type { Deadline } from '../domain/deadline.ts';
import { laneOf, orderId, type ReservationId } from '../domain/ids.ts';
import type { CancelOutcome, Order, OrderOutcome } from '../domain/outcomes.ts';
import { parseItems } from '../domain/reservation.ts';
import { Unavailable } from '../domain/unavailable.ts';
import type { Facts, Missing } from '../redis/bindings/common.ts';
import { type OrderCommand, type OrderReply, orderScript } from '../redis/bindings/order.ts';
import { releaseScript } from '../redis/bindings/release.ts';
import { laneKey } from '../redis/keys.ts';
import type { CommittedBy } from '../writer/acks.ts';
import { Batches, type Final } from './batches.ts';
import { type Commit, withCommit } from './commit.ts';
import { withFacts } from './facts.ts';
import type { EngineParts } from './parts.ts';

/** Orders are read from MySQL: what a buyer is shown is durable. */
export function readOrder(
  { database }: EngineParts,
  id: ReservationId,
  deadline: Deadline,
): Promise<Order | undefined> {
  return query(deadline, 'order', readOrderRow(database, id));
}

// The order as its first answer told it, once MySQL has it.
async function durableOrder(
  parts: EngineParts,
  id: ReservationId,
  deadline: Deadline,
): Promise<Order> {
  let order: Order | undefined;
  await parts.acks.until(deadline, async () => {
    order = await readOrder(parts, id, deadline);
    return order !== undefined;
  });
  return {
    ...(order as Order),
    state: 'pending',
    reference: null,
    settledAtMs: null,
    refundedAtMs: null,
  };
}

export type OrderBatches = Batches<Omit<OrderCommand, 'lateMs'>, OrderReply>;

/** Orders of a lane that are asked for at the same time. */
export function orderBatches(parts: EngineParts): OrderBatches {
  const { link, idempotencyTtlMs } = parts;
  return new Batches(parts, {
    what: 'order',
    isAwaited: true,
    send: (lane, gate, requests) =>
      orderScript.run(link.redis, laneKey(lane), { ...gate, idempotencyTtlMs, requests }),
  });
}

type Told = Final<OrderReply> & { nowMs: number };
type Answered = Exclude<Told, Missing>;

async function outcomeOf(
  parts: EngineParts,
  id: ReservationId,
  reply: Answered,
  commit: Commit,
  deadline: Deadline,
): Promise<OrderOutcome> {
  switch (reply.status) {
    case 'mismatch':
      return { status: 'idempotency_mismatch' };
    case 'expired':
      return { status: 'hold_expired' };
    case 'released':
      return { status: 'hold_released' };
    case 'used':
      await durableOrder(parts, id, deadline);
      return { status: 'hold_used', orderId: orderId(id) };
    case 'repeated':
      return { status: 'ordered', order: await durableOrder(parts, id, deadline) };
    case 'ordered': {
      const isThere = async () => !!(await readOrder(parts, id, deadline));
      const by = await commit.committed(deadline, isThere);
      if (by === 'row')
        return { status: 'ordered', order: await durableOrder(parts, id, deadline) };
      const { amountMinor, currency, nowMs, payByMs } = reply;
      const items = parseItems(reply.items);
      const order = { id, state: 'pending' as const, items, amountMinor, currency };
      const times = { createdAtMs: nowMs, payByMs, settledAtMs: null, refundedAtMs: null };
      return { status: 'ordered', order: { ...order, ...times, reference: null } };
    }
  }
}

/** Makes an order of a hold. Resolves once MySQL has committed it. */
export async function makeOrder(
  parts: EngineParts,
  batches: OrderBatches,
  id: ReservationId,
  key: string,
  deadline: Deadline,
): Promise<OrderOutcome> {
  const { acks, lag } = parts;
  const lane = laneOf(id);
  if (lane >= parts.lanes) return { status: 'hold_not_found' };
  lag.check(lane);
  return withCommit(acks, async (commit) => {
    const ask = (facts: Facts | undefined) =>
      new Promise<Told>((resolve, reject) => {
        batches.add(lane, {
          command: { lateMs: 0, id, key, facts },
          deadline,
          follow: (call) => commit.follow(call),
          answer: (reply, nowMs) => resolve({ ...reply, nowMs }),
          fail: reject,
        });
      });
    const reply = await withFacts(parts, lane, id, deadline, ask);
    if (!reply) return { status: 'hold_not_found' };
    return outcomeOf(parts, id, reply, commit, deadline);
  });
}

/**
 * An order that Redis does not have as one. Older data may have been put back there, and nobody has
 * noticed yet: throws `Unavailable` where MySQL has the order.
 */
export async function unknownOrder(
  parts: EngineParts,
  id: ReservationId,
  deadline: Deadline,
): Promise<{ status: 'order_not_found' }> {
  if (await readOrder(parts, id, deadline)) throw new Unavailable('Redis has lost the order');
  return { status: 'order_not_found' };
}

/** Cancels an order that awaits payment. Resolves once MySQL has committed it. */
export async function cancelOrder(
  parts: EngineParts,
  id: ReservationId,
  deadline: Deadline,
): Promise<CancelOutcome> {
  const { link, acks, lag, ring } = parts;
  const lane = laneOf(id);
  if (lane >= parts.lanes) return { status: 'order_not_found' };
  lag.check(lane);
  return withCommit(acks, async (commit): Promise<CancelOutcome> => {
    const reply = await withFacts(parts, lane, id, deadline, (facts) =>
      link.execute(lane, 'cancel', deadline, (gate) => {
        commit.follow(gate.call);
        const command = { ...gate, id, from: 'pending' as const, facts };
        return releaseScript.run(link.redis, laneKey(lane), command);
      }),
    );
    ring(lane);
    if (!reply || (reply.status === 'other' && !reply.ordered)) {
      return unknownOrder(parts, id, deadline);
    }
    if (reply.status === 'other' && reply.state === 'expired') return { status: 'order_expired' };
    if (reply.status === 'other' && reply.state !== 'cancelled') return { status: 'order_paid' };
    // Not "is cancelled": a late payment may have made it paid again before this looks.
    const ended = async () => {
      const row = await readOrder(parts, id, deadline);
      return row !== undefined && row.state !== 'pending';
    };
    let by: CommittedBy = 'row';
    if (reply.status === 'released') by = await commit.committed(deadline, ended);
    else await acks.until(deadline, ended);
    const order = await readOrder(parts, id, deadline);
    // It has changed since: paid late, or what this call did was lost with Redis.
    if (by === 'row' && order?.state !== 'cancelled') return cancelOrder(parts, id, deadline);
    return { status: 'cancelled', order: { ...(order as Order), state: 'cancelled' } };
  });
}
