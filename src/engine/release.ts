import type { Deadline } from '../domain/deadline.ts';
import { laneOf, orderId, type ReservationId } from '../domain/ids.ts';
import type { Hold, ReleaseOutcome } from '../domain/outcomes.ts';
import { parseItems, parseRecord, type ReservationRecord } from '../domain/reservation.ts';
import { Unavailable } from '../domain/unavailable.ts';
import { releaseScript } from '../redis/bindings/release.ts';
import { askRedis } from '../redis/client.ts';
import { laneKey, reservationKey } from '../redis/keys.ts';
import { factsAt, withFacts } from './facts.ts';
import type { EngineParts } from './parts.ts';

// What a reservation looks like to the buyer of its hold. Expiry is a comparison: an overdue hold
// is expired, whether or not somebody has swept it.
function holdOf(id: ReservationId, record: ReservationRecord, nowMs: number): Hold {
  const { items, amountMinor, currency } = record;
  const hold = { id, items, amountMinor, currency, expiresAtMs: record.deadlineMs };
  if (record.ordered) return { ...hold, state: 'ordered' };
  if (record.state === 'released') return { ...hold, state: 'released' };
  const isHeld = record.state === 'held' && record.deadlineMs > nowMs;
  return { ...hold, state: isHeld ? 'held' : 'expired' };
}

/** The hold, or undefined when neither Redis nor MySQL knows it. */
export async function readHold(
  parts: EngineParts,
  id: ReservationId,
  deadline: Deadline,
): Promise<Hold | undefined> {
  const { link } = parts;
  const lane = laneOf(id);
  if (lane >= parts.lanes) return undefined;
  const [text, [state, run, position]] = await askRedis(
    deadline,
    'read hold',
    Promise.all([
      link.redis.get(reservationKey(lane, id)),
      link.redis.hmget(laneKey(lane), 'state', 'run', 'position'),
    ]),
  );
  if (state !== 'open') throw new Unavailable(`lane ${lane} is ${state ?? 'cold'}`);
  // A restored snapshot says `open`, too, and may have forgotten what became of the hold.
  if (run !== link.run()) throw new Unavailable(`lane ${lane} is stale`);
  const known = text === null ? undefined : parseRecord(text);
  if (known?.state === 'held' || known?.state === 'released') {
    return holdOf(id, known, link.nowMs());
  }
  // Other ends and orders are told by MySQL, which has the hold's own deadline and amount.
  const { record, holdExpiresAtMs } = await factsAt(parts, lane, id, position ?? '', deadline);
  return record && holdOf(id, { ...record, deadlineMs: holdExpiresAtMs }, link.nowMs());
}

/** Gives the units of a hold back. */
export async function releaseHold(
  parts: EngineParts,
  id: ReservationId,
  deadline: Deadline,
): Promise<ReleaseOutcome> {
  const { link, ring } = parts;
  const lane = laneOf(id);
  if (lane >= parts.lanes) return { status: 'hold_not_found' };
  const reply = await withFacts(parts, lane, id, deadline, (facts) =>
    link.execute(lane, 'release', deadline, (gate) => {
      const command = { ...gate, id, from: 'held' as const, facts };
      return releaseScript.run(link.redis, laneKey(lane), command);
    }),
  );
  ring(lane, false);
  if (!reply) return { status: 'hold_not_found' };
  if (reply.status === 'other' && reply.ordered) {
    return { status: 'hold_used', orderId: orderId(id) };
  }
  if (reply.status === 'other' && reply.state === 'expired') return { status: 'hold_expired' };
  const { amountMinor, currency, deadlineMs } = reply;
  const items = parseItems(reply.items);
  const hold = { id, state: 'released' as const, items, amountMinor, currency };
  return { status: 'released', hold: { ...hold, expiresAtMs: deadlineMs } };
}
