import type {
  JournalEntry,
  MarkEvent,
  OutcomeEvent,
  ReservationEvent,
  UnitCounter,
} from './journal.ts';
import { COUNTER_NAMES, type Counters } from './product.ts';
import { parseItems, type ReservationState } from './reservation.ts';

function whole(text: string | undefined): number {
  const value = Number(text);
  if (text && Number.isSafeInteger(value)) return value;
  throw new Error(`"${text}" is no whole number`);
}

function fieldsOf(text: string, separator: string, count: number): string[] {
  const fields = text.split(separator);
  if (fields.length !== count) throw new Error(`expected ${count} fields in "${text}"`);
  return fields;
}

function parseReservation(text: string): ReservationEvent {
  const fields = fieldsOf(text, '\t', 15);
  const field = (index: number) => fields[index] ?? '';
  const [movedFrom, movedTo] = field(5).split('>');
  return {
    id: field(0),
    from: field(1) as ReservationEvent['from'],
    to: field(2) as ReservationState,
    version: whole(field(3)),
    items: parseItems(field(4)),
    moved: movedTo ? { from: movedFrom as UnitCounter, to: movedTo as UnitCounter } : undefined,
    buyer: field(6),
    counted: field(7) === '1',
    deadlineMs: whole(field(8)),
    amountMinor: whole(field(9)),
    currency: field(10),
    pricesMinor: field(11) === '' ? [] : field(11).split(',').map(whole),
    reference: field(12),
    key: field(13),
    fingerprint: field(14),
  };
}

function countersOf(values: readonly string[]): Counters {
  const [total = 0, available = 0, held = 0, pending = 0, sold = 0] = values.map(whole);
  return { total, available, held, pending, sold };
}

function parseCounters(text: string): [number, Counters] {
  const [productId, ...values] = fieldsOf(text, ':', 1 + COUNTER_NAMES.length);
  return [whole(productId), countersOf(values)];
}

function parseMark(text: string): MarkEvent {
  const [id = '', products = ''] = fieldsOf(text, '\t', 2);
  const counters = new Map<number, Counters | null>();
  for (const product of products.split(',')) {
    if (product.endsWith(':-')) counters.set(whole(product.slice(0, -2)), null);
    else counters.set(...parseCounters(product));
  }
  return { id, counters };
}

function parseField(entry: JournalEntry, name: string, value: string): void {
  switch (name) {
    case 'call':
      entry.call = value;
      return;
    case 'prev':
      entry.prev = value;
      return;
    case 'at_ms':
      entry.atMs = whole(value);
      return;
    case 'emitted':
      entry.emitted = whole(value);
      return;
    case 'reservation':
      entry.reservations.push(parseReservation(value));
      return;
    case 'stock': {
      const [productId, delta, key] = fieldsOf(value, '\t', 3);
      entry.stock.push({ productId: whole(productId), delta: whole(delta), key: key ?? '' });
      return;
    }
    case 'rules': {
      const [productId, version] = fieldsOf(value, '\t', 2);
      entry.rules.push({ productId: whole(productId), version: whole(version) });
      return;
    }
    case 'outcome': {
      const [reference, id, outcome, orderState] = fieldsOf(value, '\t', 4);
      entry.outcomes.push({ reference, id, outcome, orderState } as OutcomeEvent);
      return;
    }
    case 'corrected': {
      const [productId, by = '', ...delta] = fieldsOf(value, '\t', 2 + COUNTER_NAMES.length);
      entry.corrected.push({ productId: whole(productId), by, delta: countersOf(delta) });
      return;
    }
    case 'marked':
      entry.marks.push(parseMark(value));
      return;
    case 'counters':
      for (const counters of value.split(',')) entry.counters.set(...parseCounters(counters));
      return;
    default:
      throw new Error('no script writes such a field');
  }
}

/**
 * Reads a stream entry. A transition that cannot be read is kept as it is, in `unreadable`. Throws,
 * naming the entry, where the chain itself cannot be.
 */
export function parseJournalEntry(id: string, fields: readonly string[]): JournalEntry {
  const [epoch, sequence] = id.split('-').map(Number);
  const entry: JournalEntry = {
    epoch: epoch ?? Number.NaN,
    sequence: sequence ?? Number.NaN,
    call: '',
    prev: '',
    atMs: 0,
    emitted: 0,
    reservations: [],
    stock: [],
    rules: [],
    outcomes: [],
    corrected: [],
    marks: [],
    unreadable: [],
    counters: new Map(),
  };
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const [field = '', value = ''] = [fields[index], fields[index + 1]];
    try {
      parseField(entry, field, value);
    } catch (error) {
      entry.unreadable.push({ field, value, why: (error as Error).message });
    }
  }
  if (!entry.call || !entry.prev) throw new Error(`journal entry ${id} names no call`);
  return entry;
}
