import { expect } from 'vitest';
import { type JournalEntry, transitionCount } from '../../src/domain/journal.ts';
import { parseJournalEntry } from '../../src/domain/parse-journal.ts';
import type { Counters } from '../../src/domain/product.ts';
import {
  formatDueMember,
  formatRecord,
  isLive,
  type ReservationRecord,
} from '../../src/domain/reservation.ts';
import { buyersKey, dueKey, outboxKey, productKey, reservationKey } from '../../src/redis/keys.ts';
import type { TestLane } from './lane.ts';
import { redisNowMs } from './redis.ts';

const TOMBSTONE_TTL_MS = 600_000;
const COUNTERS = ['total', 'available', 'held', 'pending', 'sold'] as const;

/** What the journal alone says about a lane. */
interface Replay {
  counters: Map<number, Counters>;
  reservations: Map<string, ReservationRecord>;
}

export async function journalOf(lane: TestLane): Promise<JournalEntry[]> {
  const entries = await lane.redis.xrange(outboxKey(lane.lane), '-', '+');
  return entries.map(([id, fields]) => parseJournalEntry(id, fields));
}

/** Each entry names the one before it; ids and the number of transitions run on without a gap. */
function checkChain(journal: JournalEntry[], epoch: number): void {
  let prev = 'start';
  let emitted = 0;
  for (const [index, entry] of journal.entries()) {
    emitted += transitionCount(entry);
    expect(transitionCount(entry), 'an entry tells of something').toBeGreaterThan(0);
    expect(entry).toMatchObject({ epoch, sequence: index, prev, emitted });
    prev = entry.call;
  }
}

function replayReservations(replay: Replay, entry: JournalEntry): Set<number> {
  const touched = new Set<number>();
  for (const event of entry.reservations) {
    const before = replay.reservations.get(event.id);
    expect(event.from, `${event.id} goes on from where it was`).toBe(before?.state ?? 'none');
    expect(event.version).toBe((before?.version ?? 0) + 1);
    if (before) expect(event.items).toEqual(before.items);
    for (const { productId, qty } of event.moved ? event.items : []) {
      const counters = replay.counters.get(productId);
      if (!counters || !event.moved) throw new Error(`units of unknown product ${productId}`);
      counters[event.moved.from] -= qty;
      counters[event.moved.to] += qty;
      touched.add(productId);
    }
    const { items, deadlineMs, amountMinor, currency, buyer, counted, reference } = event;
    replay.reservations.set(event.id, {
      state: event.to,
      version: event.version,
      ordered: before?.ordered === true || event.to === 'pending',
      ...{ items, deadlineMs, amountMinor, currency, buyer, counted, reference },
    });
  }
  return touched;
}

/** Plays the journal back; the counters each entry states must be those it leads to. */
function replayJournal(journal: JournalEntry[]): Replay {
  const replay: Replay = { counters: new Map(), reservations: new Map() };
  for (const entry of journal) {
    const touched = new Set<number>();
    for (const { productId, delta } of entry.stock) {
      const none = { total: 0, available: 0, held: 0, pending: 0, sold: 0 };
      const counters = replay.counters.get(productId) ?? none;
      counters.total += delta;
      counters.available += delta;
      replay.counters.set(productId, counters);
      touched.add(productId);
    }
    for (const productId of replayReservations(replay, entry)) touched.add(productId);
    expect(new Set(entry.counters.keys()), 'counters of what was touched').toEqual(touched);
    for (const [productId, counters] of entry.counters) {
      expect(counters).toEqual(replay.counters.get(productId));
      expect(Math.min(...Object.values(counters))).toBeGreaterThanOrEqual(0);
    }
  }
  return replay;
}

async function checkCounters(lane: TestLane, { counters }: Replay): Promise<void> {
  const keys = await lane.redis.keys(`hf:{${lane.lane}}:product:*`);
  const known = [...counters.keys()].map((id) => productKey(lane.lane, id));
  expect(new Set(keys)).toEqual(new Set(known));
  for (const [productId, expected] of counters) {
    const values = await lane.redis.hmget(productKey(lane.lane, productId), ...COUNTERS);
    const found = Object.fromEntries(COUNTERS.map((name, index) => [name, Number(values[index])]));
    expect(found).toEqual(expected);
    const { total, available, held, pending, sold } = expected;
    expect(total).toBe(available + held + pending + sold);
  }
}

/** The index holds the live reservations and no others, and their units are held or pending. */
async function checkIndex(lane: TestLane, replay: Replay): Promise<void> {
  const members = await lane.redis.zrange(dueKey(lane.lane), 0, '-1', 'WITHSCORES');
  const flat = members.flat();
  const found = new Map<string, number>();
  for (let at = 0; at < flat.length; at += 2) found.set(String(flat[at]), Number(flat[at + 1]));
  const expected = new Map<string, number>();
  const units = new Map<number, { held: number; pending: number }>();
  for (const productId of replay.counters.keys()) units.set(productId, { held: 0, pending: 0 });
  for (const [id, record] of replay.reservations) {
    if (record.state !== 'held' && record.state !== 'pending') continue;
    expected.set(formatDueMember(id, record), record.deadlineMs);
    for (const { productId, qty } of record.items) {
      const sums = units.get(productId);
      if (sums) sums[record.state] += qty;
    }
  }
  expect(found).toEqual(expected);
  for (const [productId, sums] of units) {
    expect(replay.counters.get(productId)).toMatchObject(sums);
  }
}

async function checkRecords(lane: TestLane, replay: Replay, forgotten: string[]): Promise<void> {
  const keys = await lane.redis.keys(`hf:{${lane.lane}}:res:*`);
  const known = [...replay.reservations.keys()].map((id) => reservationKey(lane.lane, id));
  expect(known, 'no record without an event').toEqual(expect.arrayContaining(keys));
  for (const [id, record] of replay.reservations) {
    const key = reservationKey(lane.lane, id);
    const [text, endsAtMs] = [await lane.redis.get(key), await lane.redis.pexpiretime(key)];
    if (text === null) {
      const isOverdue = isLive(record.state) && record.deadlineMs <= (await redisNowMs(lane.redis));
      expect(isOverdue || forgotten.includes(id), `record of ${id}, ${record.state}`).toBe(true);
    } else {
      expect(text).toBe(formatRecord(record));
      const nowMs = await redisNowMs(lane.redis);
      if (isLive(record.state)) expect(endsAtMs).toBe(record.deadlineMs);
      else expect(endsAtMs - nowMs).toBeLessThanOrEqual(TOMBSTONE_TTL_MS);
      expect(endsAtMs).toBeGreaterThan(0);
    }
  }
}

/** A buyer's count is what he holds, owes for and bought, as far as it was counted. */
async function checkBuyers(lane: TestLane, replay: Replay): Promise<void> {
  const expected = new Map<string, Record<string, string>>();
  for (const record of replay.reservations.values()) {
    if (!record.counted || !(isLive(record.state) || /^(paid|refunded)$/.test(record.state)))
      continue;
    for (const { productId, qty } of record.items) {
      const key = buyersKey(lane.lane, productId);
      const counts = expected.get(key) ?? {};
      counts[record.buyer] = String(Number(counts[record.buyer] ?? 0) + qty);
      expected.set(key, counts);
    }
  }
  const found = new Map<string, Record<string, string>>();
  for (const key of await lane.redis.keys(`hf:{${lane.lane}}:buyers:*`)) {
    found.set(key, { ...(await lane.redis.hgetall(key)) });
  }
  expect(found).toEqual(expected);
}

/**
 * Fails unless the lane's counters, index, records, buyer counts and journal tell the same story.
 * `forgotten` are reservations whose record the test took away.
 */
export async function expectConsistent(lane: TestLane, forgotten: string[] = []): Promise<Replay> {
  const journal = await journalOf(lane);
  checkChain(journal, lane.epoch);
  const replay = replayJournal(journal);
  await checkCounters(lane, replay);
  await checkIndex(lane, replay);
  await checkRecords(lane, replay, forgotten);
  await checkBuyers(lane, replay);
  const last = journal.at(-1);
  const facts = await lane.redis.hmget(lane.key, 'tail', 'position', 'emitted');
  const expected = last
    ? [last.call, `${last.epoch}-${last.sequence}`, String(last.emitted)]
    : ['start', '', '0'];
  expect(facts).toEqual(expected);
  return replay;
}
