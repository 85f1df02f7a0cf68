import type { Counters } from './product.ts';
import { type Item, parseItems, type ReservationState } from './reservation.ts';

/** The counters that units move between. */
export type UnitCounter = 'available' | 'held' | 'pending' | 'sold';

/** A reservation's step from one state to the next. */
export interface ReservationEvent {
  id: string;
  from: ReservationState | 'none';
  to: ReservationState;
  version: number;
  items: Item[];
  /** Where the units went, or undefined when they stayed where they were. */
  moved: { from: UnitCounter; to: UnitCounter } | undefined;
  buyer: string;
  counted: boolean;
  deadlineMs: number;
  amountMinor: number;
  currency: string;
  /** Price of one unit of each item, in minor units; only where a hold was made. */
  pricesMinor: number[];
  reference: string;
  key: string;
  fingerprint: string;
}

/** A change of a product's total. `key` is that of a stock adjustment, or '' for a new product. */
export interface StockEvent {
  productId: number;
  delta: number;
  key: string;
}

/** Redis has a product's rules up to this version. */
export interface RulesEvent {
  productId: number;
  version: number;
}

/** What became of a payment receipt. */
export interface OutcomeEvent {
  reference: string;
  id: string;
  outcome: 'applied' | 'ignored' | 'refund_due';
  orderState: ReservationState;
}

/** One script call, as the outbox tells it. */
export interface JournalEntry {
  epoch: number;
  sequence: number;
  call: string;
  /** The call of the entry before, or `start` in the first entry of an epoch. */
  prev: string;
  atMs: number;
  /** Transitions of this epoch up to and with this entry. */
  emitted: number;
  reservations: ReservationEvent[];
  stock: StockEvent[];
  rules: RulesEvent[];
  outcomes: OutcomeEvent[];
  /** Counters after the call, of each product it touched. */
  counters: Map<number, Counters>;
}

/** What `prev` says in the first entry of an epoch. */
export const CHAIN_START = 'start';

export const transitionCount = (entry: JournalEntry): number =>
  entry.reservations.length + entry.stock.length + entry.rules.length + entry.outcomes.length;

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
    version: Number(field(3)),
    items: parseItems(field(4)),
    moved: movedTo ? { from: movedFrom as UnitCounter, to: movedTo as UnitCounter } : undefined,
    buyer: field(6),
    counted: field(7) === '1',
    deadlineMs: Number(field(8)),
    amountMinor: Number(field(9)),
    currency: field(10),
    pricesMinor: field(11) === '' ? [] : field(11).split(',').map(Number),
    reference: field(12),
    key: field(13),
    fingerprint: field(14),
  };
}

function parseCounters(text: string): [number, Counters] {
  const [productId, total, available, held, pending, sold] = fieldsOf(text, ':', 6).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  return [productId, { total, available, held, pending, sold }];
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
      entry.atMs = Number(value);
      return;
    case 'emitted':
      entry.emitted = Number(value);
      return;
    case 'reservation':
      entry.reservations.push(parseReservation(value));
      return;
    case 'stock': {
      const [productId, delta, key] = fieldsOf(value, '\t', 3);
      entry.stock.push({ productId: Number(productId), delta: Number(delta), key: key ?? '' });
      return;
    }
    case 'rules': {
      const [productId, version] = fieldsOf(value, '\t', 2).map(Number);
      entry.rules.push({ productId: productId ?? 0, version: version ?? 0 });
      return;
    }
    case 'outcome': {
      const [reference, id, outcome, orderState] = fieldsOf(value, '\t', 4);
      entry.outcomes.push({ reference, id, outcome, orderState } as OutcomeEvent);
      return;
    }
    case 'counters':
      for (const counters of value.split(',')) entry.counters.set(...parseCounters(counters));
      return;
    default:
      throw new Error(`unknown field ${name} in the journal`);
  }
}

/** Reads a stream entry. Throws on what no script writes, naming the entry. */
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
    counters: new Map(),
  };
  try {
    for (let index = 0; index + 1 < fields.length; index += 2) {
      parseField(entry, fields[index] ?? '', fields[index + 1] ?? '');
    }
  } catch (error) {
    throw new Error(`journal entry ${id}: ${(error as Error).message}`);
  }
  return entry;
}
