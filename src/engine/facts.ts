import { setTimeout as pause } from 'node:timers/promises';
import { query } from '../db/client.ts';
import { type ReservationFacts, readFacts } from '../db/reports.ts';
import type { Deadline } from '../domain/deadline.ts';
import { formatRecord } from '../domain/reservation.ts';
import { Unavailable } from '../domain/unavailable.ts';
import type { Facts, Missing } from '../redis/bindings/common.ts';
import type { EngineParts } from './parts.ts';

/** The first pause between two looks; each one after it is twice as long, up to the largest. */
const LOOK_AFTER_MS = 20;
const LOOK_AFTER_MAX_MS = 250;

/**
 * MySQL's word on a reservation that Redis does not know, once its rows have reached `position` of
 * the journal. Before that, "no row" only means "not yet". Throws `Unavailable` at the deadline, and
 * where steps of it wait as dead letters.
 */
export async function factsAt(
  { database, lag, ring }: EngineParts,
  lane: number,
  id: string,
  position: string,
  deadline: Deadline,
): Promise<ReservationFacts> {
  const [epoch, sequence] = position === '' ? [undefined, -1] : position.split('-').map(Number);
  for (let pauseMs = LOOK_AFTER_MS; ; pauseMs = Math.min(2 * pauseMs, LOOK_AFTER_MAX_MS)) {
    const facts = await query(deadline, 'reservation', readFacts(database, lane, id));
    const isSameEpoch = facts && (epoch === undefined || facts.epoch === epoch);
    // What such rows say would be done again: the steps that wait have moved units already.
    if (facts?.isBehind) throw new Unavailable('what happened to it waits as a dead letter');
    if (isSameEpoch && facts.sequence >= (sequence ?? 0)) return facts;
    lag.checkServers();
    if (deadline.passed()) throw new Unavailable(`MySQL has not reached ${position} in time`);
    ring(lane);
    await pause(pauseMs);
  }
}

/**
 * Runs a transition script, and once more with MySQL's facts where Redis lacks the record.
 * Undefined when neither knows the reservation.
 */
export async function withFacts<R extends { status: string }>(
  parts: EngineParts,
  lane: number,
  id: string,
  deadline: Deadline,
  attempt: (facts: Facts | undefined) => Promise<R>,
): Promise<Exclude<R, Missing> | undefined> {
  let facts: Facts | undefined;
  for (;;) {
    const reply = (await attempt(facts)) as R | Missing;
    if (reply.status !== 'missing') return reply as Exclude<R, Missing>;
    if (deadline.passed()) throw new Unavailable('the reservation is changing; no time left');
    // With facts and still missing: it ended in the meantime, which MySQL will tell.
    if (facts) await pause(LOOK_AFTER_MS);
    const { position } = reply as Missing;
    const { epoch, record } = await factsAt(parts, lane, id, position, deadline);
    if (!record) return undefined;
    facts = { epoch, record: formatRecord(record) };
  }
}
