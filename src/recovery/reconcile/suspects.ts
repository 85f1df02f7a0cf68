import { setTimeout as pause } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { snapshot } from '../../db/client.ts';
import { readQuarantined } from '../../db/dead-letters.ts';
import { type ReservationRows, readReservationRows } from '../../db/reservation-rows.ts';
import { formatDueMember, parseRecord } from '../../domain/reservation.ts';
import { dueKey, laneKey, reservationKey } from '../../redis/keys.ts';
import type { Books } from './books.ts';
import { judgeReservation } from './judge-reservation.ts';

const AT_ONCE = 500;
const ATTEMPTS_MAX = 10;
const REST_MS = 50;
const SNAPSHOT_LIMIT_MS = 10_000;

/** A reservation that looked wrong, and members of the index that were seen for it. */
export interface Suspect {
  id: string;
  members: readonly string[];
}

/** A reservation as Redis has it. */
export interface InRedis {
  /** '' for none. */
  record: string;
  /** Members of the index that are there, and when each is due. */
  members: Map<string, number>;
}

async function readRedis(
  redis: Redis,
  lane: number,
  suspects: readonly Suspect[],
  rows: ReadonlyMap<string, ReservationRows>,
): Promise<{ position: string; nowMs: number; found: Map<string, InRedis> }> {
  const records = await redis.mget(suspects.map(({ id }) => reservationKey(lane, id)));
  const asked = suspects.map(({ id, members }, index) => {
    const text = records[index];
    const stored = rows.get(id)?.record;
    const known = new Set(members);
    if (text) known.add(formatDueMember(id, parseRecord(text)));
    if (stored) known.add(formatDueMember(id, stored));
    return { id, members: [...known] };
  });
  const all = asked.flatMap(({ members }) => members);
  const reading = redis.multi().hget(laneKey(lane), 'position').time();
  reading.mget(suspects.map(({ id }) => reservationKey(lane, id)));
  if (all.length > 0) reading.zmscore(dueKey(lane), ...all);
  const replies = (await reading.exec()) ?? [];
  const [position, time, texts, scores] = replies.map(([, value]) => value) as [
    string | null,
    [string, string],
    (string | null)[],
    (string | null)[] | undefined,
  ];
  const found = new Map<string, InRedis>();
  let at = 0;
  for (const [index, { id, members }] of asked.entries()) {
    const present = new Map<string, number>();
    for (const member of members) {
      const score = scores?.[at];
      at += 1;
      if (score) present.set(member, Number(score));
    }
    found.set(id, { record: texts[index] ?? '', members: present });
  }
  return { position: position ?? '', nowMs: Number(time[0]) * 1_000, found };
}

/**
 * Looks at suspects until each is known for sure: its rows are read once MySQL has reached what
 * Redis had been seen with, and they count only if Redis did not change meanwhile. What is wrong
 * then is wrong at one position of the journal, not on the way from one to the next.
 */
export async function examineSuspects(
  books: Books,
  lane: number,
  suspects: readonly Suspect[],
): Promise<void> {
  for (let first = 0; first < suspects.length; first += AT_ONCE) {
    let left = suspects.slice(first, first + AT_ONCE);
    for (let attempt = 1; left.length > 0 && attempt <= ATTEMPTS_MAX; attempt += 1) {
      if (attempt > 1) await pause(REST_MS * attempt);
      left = await examineOnce(books, lane, left);
    }
    await books.step('suspects', first, suspects.length);
  }
}

// Returns those that moved meanwhile.
async function examineOnce(books: Books, lane: number, suspects: Suspect[]): Promise<Suspect[]> {
  const { link, database } = books.parts;
  const read = (rows: ReadonlyMap<string, ReservationRows>) =>
    books.ask('reservations', readRedis(link.redis, lane, suspects, rows));
  const gate = await books.gate(lane);
  const before = await read(new Map());
  await books.reached(lane, before.position);
  const ids = suspects.map(({ id }) => id);
  const { rows, waiting } = await snapshot(database, SNAPSHOT_LIMIT_MS, async (connection) => ({
    rows: await readReservationRows(connection, ids),
    // Rows of what has become a dead letter are behind, and stay there.
    waiting: await readQuarantined(connection, lane),
  }));
  const after = await read(rows);
  // Of a lane that was rebuilt meanwhile, nothing was seen.
  await books.sameLane(lane, gate);
  const moved: Suspect[] = [];
  for (const suspect of suspects) {
    if (waiting.has(suspect.id)) continue;
    const found = after.found.get(suspect.id);
    const stored = rows.get(suspect.id);
    if (stored?.items.length && !books.concerns(stored.items)) continue;
    // Every transition leaves another record behind.
    if (!found || !stored || found.record !== before.found.get(suspect.id)?.record) {
      moved.push(suspect);
      continue;
    }
    for (const each of judgeReservation(books, lane, gate, stored, found, after.nowMs)) {
      await books.note(each);
    }
  }
  return moved;
}
