import { isEdited, type ReservationRows, stateOf } from '../../db/reservation-rows.ts';
import { restoreHold, restoreItems, restoreRows, restoreState } from '../../db/restore.ts';
import { holdId, orderId } from '../../domain/ids.ts';
import {
  formatDueMember,
  formatItems,
  formatRecord,
  type Item,
  isLive,
  parseItems,
  parseRecord,
  type ReservationRecord,
} from '../../domain/reservation.ts';
import type { Books, Found, LaneGate } from './books.ts';
import type { InRedis } from './suspects.ts';

const unitsOf = (items: readonly Item[]): number => items.reduce((sum, { qty }) => sum + qty, 0);

const told = ({ state, version, items }: ReservationRecord) => {
  return { state, version, items: formatItems(items) };
};

const nameOf = (id: string, isOrder: boolean): string => (isOrder ? orderId(id) : holdId(id));

/** One reservation, by its rows and by Redis at one position of the journal. */
class Judge {
  readonly #books: Books;
  readonly #lane: number;
  readonly #gate: LaneGate;
  readonly #rows: ReservationRows;
  readonly #seen: InRedis;
  readonly found: Found[] = [];

  constructor(books: Books, lane: number, gate: LaneGate, rows: ReservationRows, seen: InRedis) {
    this.#books = books;
    this.#lane = lane;
    this.#gate = gate;
    this.#rows = rows;
    this.#seen = seen;
  }

  judge(nowMs: number): void {
    const { hold, order, record } = this.#rows;
    const whole = this.#lostItems();
    if (order && !hold) this.#noteLostHold();
    if (!record) this.#judgeUnknown();
    else if (whole) this.#noteLostItems(whole);
    else if (isEdited(this.#rows)) this.#noteEdited();
    else if (isLive(record.state)) this.#judgeLive(record, nowMs);
    else this.#judgeEnded(record);
  }

  #add(found: Pick<Found, 'kind' | 'expected' | 'found' | 'repair'> & Partial<Found>): void {
    const { id, items, order } = this.#rows;
    const name = nameOf(id, order !== undefined);
    this.found.push({
      lane: this.#lane,
      productId: null,
      id: name,
      units: unitsOf(items),
      ...found,
    });
  }

  #repair(change: { record?: string; remove?: string; add?: string; deadlineMs?: number }) {
    const { id } = this.#rows;
    const seen = this.#seen.record;
    const nothing = { record: seen, remove: '', add: '', deadlineMs: 0 };
    const repair = { kind: 'reservation' as const, id, seen, ...nothing, ...change };
    return () => this.#books.repair(this.#lane, this.#gate, repair);
  }

  #noteStray(members: Iterable<string>): void {
    for (const member of members) {
      const [, state, version, items = ''] = member.split('|');
      this.#add({
        kind: 'index_stray',
        expected: null,
        found: { state: state ?? '', version: Number(version), items },
        units: items === '' ? 0 : unitsOf(parseItems(items)),
        repair: 'take it out of the index of deadlines, which would give its units back',
        fix: this.#repair({ remove: member }),
      });
    }
  }

  #judgeUnknown(): void {
    const { id, last } = this.#rows;
    const record = this.#seen.record === '' ? undefined : parseRecord(this.#seen.record);
    const member = record && formatDueMember(id, record);
    const isAlive = record && isLive(record.state);
    if (isAlive && this.#seen.members.has(member ?? '')) {
      this.#add({
        kind: 'row_missing',
        id: nameOf(id, record.ordered),
        expected: told(record),
        found: null,
        units: unitsOf(record.items),
        repair: "write the row again from Redis' record",
        fix: () => restoreRows(this.#books.locked(), this.#lane, id, record),
      });
      this.#noteStray([...this.#seen.members.keys()].filter((each) => each !== member));
      return;
    }
    this.#noteStray(this.#seen.members.keys());
    if (isAlive) {
      this.#add({
        kind: 'record_stray',
        id: nameOf(id, record.ordered),
        expected: null,
        found: told(record),
        units: unitsOf(record.items),
        repair: 'delete the record',
        fix: this.#repair({ record: '' }),
      });
    }
    // Whoever paid is owed something, whatever Redis has forgotten.
    if (last && !isAlive && (isLive(last.to) || last.to === 'paid')) {
      this.#add({
        kind: 'row_missing',
        id: nameOf(id, last.to !== 'held'),
        expected: { state: last.to, version: last.version },
        found: null,
        repair: 'restore its rows from a backup; Redis no longer knows it',
      });
    }
  }

  // Its order says all that matters of it, and is judged by itself.
  #noteLostHold(): void {
    const { id } = this.#rows;
    this.#add({
      kind: 'row_missing',
      id: holdId(id),
      expected: { state: 'ordered' },
      found: null,
      units: 0,
      repair: 'write the row again from that of its order',
      fix: () => restoreHold(this.#books.locked(), id),
    });
  }

  // Items never change: those that the record has beside the rows' own have lost their rows.
  #lostItems(): ReservationRecord | undefined {
    const { items } = this.#rows;
    if (this.#seen.record === '') return undefined;
    const record = parseRecord(this.#seen.record);
    if (!isLive(record.state) || record.items.length <= items.length) return undefined;
    const known = new Set(formatItems(record.items).split(','));
    const areAmong = items.every((item) => known.has(formatItems([item])));
    return areAmong ? record : undefined;
  }

  #noteLostItems(record: ReservationRecord): void {
    const { id, items } = this.#rows;
    this.#add({
      kind: 'row_missing',
      expected: { items: formatItems(record.items) },
      found: { items: formatItems(items) },
      units: unitsOf(record.items) - unitsOf(items),
      repair: "write the rows of its items again from Redis' record",
      fix: () => restoreItems(this.#books.locked(), id, record),
    });
  }

  #noteEdited(): void {
    const { last, order } = this.#rows;
    if (!last) return;
    const { state, version } = stateOf(this.#rows);
    const seen = this.#seen.record === '' ? undefined : parseRecord(this.#seen.record);
    const payByMs = seen?.deadlineMs ?? last.atMs;
    // The history has no deadlines, and an extension moves one.
    const isHold = seen?.state === 'held' && seen.version === last.version;
    const times = { payByMs, expiresAtMs: isHold ? seen.deadlineMs : null };
    this.#add({
      kind: state === '' ? 'row_missing' : 'row_edited',
      id: nameOf(this.#rows.id, order !== undefined || state === ''),
      expected: { state: last.to, version: last.version },
      found: state === '' ? null : { state, version },
      repair: 'give the row the state that its last transition left it in',
      fix: () => restoreState(this.#books.locked(), this.#rows, last, times),
    });
  }

  #judgeLive(record: ReservationRecord, nowMs: number): void {
    const { id } = this.#rows;
    const [text, member] = [formatRecord(record), formatDueMember(id, record)];
    const { deadlineMs } = record;
    const isDue = deadlineMs <= nowMs + 1_000;
    const { record: seen, members } = this.#seen;
    if (!members.has(member)) {
      this.#add({
        kind: 'index_missing',
        expected: told(record),
        found: null,
        repair: 'put it into the index of deadlines: its units would never come back',
        fix: this.#repair({ add: member, deadlineMs }),
      });
    } else if (members.get(member) !== deadlineMs) {
      const at = (ms: number) => ({ due: new Date(ms).toISOString() });
      this.#add({
        kind: 'deadline_differs',
        expected: at(deadlineMs),
        found: at(members.get(member) ?? 0),
        repair: 'give it its deadline in the index again',
        fix: this.#repair({ add: member, deadlineMs }),
      });
    }
    if (seen !== text && !(seen === '' && isDue)) {
      this.#add({
        kind: seen === '' ? 'record_missing' : 'record_differs',
        expected: told(record),
        found: seen === '' ? null : told(parseRecord(seen)),
        units: 0,
        repair: 'write the record as the rows have it',
        fix: this.#repair({ record: text, deadlineMs }),
      });
    }
    this.#noteStray([...members.keys()].filter((each) => each !== member));
  }

  #judgeEnded(record: ReservationRecord): void {
    const { record: seen, members } = this.#seen;
    this.#noteStray(members.keys());
    if (seen === '' || !isLive(parseRecord(seen).state)) return;
    this.#add({
      kind: 'record_differs',
      expected: told(record),
      found: told(parseRecord(seen)),
      repair: 'delete the record; MySQL answers for what has ended',
      fix: this.#repair({ record: '' }),
    });
  }
}

/** What is wrong with one reservation, and how each thing can be put right. */
export function judgeReservation(
  books: Books,
  lane: number,
  gate: LaneGate,
  rows: ReservationRows,
  seen: InRedis,
  nowMs: number,
): Found[] {
  const judge = new Judge(books, lane, gate, rows, seen);
  judge.judge(nowMs);
  return judge.found;
}
