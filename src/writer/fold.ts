import type { FoldedChanges, HoldChange, OrderChange, StockChange } from '../db/changes.ts';
import type {
  JournalEntry,
  OutcomeEvent,
  ReservationEvent,
  UnitCounter,
} from '../domain/journal.ts';
import type { Counters } from '../domain/product.ts';

/** Entries are missing, or of another history than MySQL's. Nothing of their batch is written. */
export class BrokenJournal extends Error {
  override readonly name = 'BrokenJournal';
}

/** An entry whose counters do not follow from what it did. Nothing of its batch is written. */
export class EntryDisagrees extends Error {
  override readonly name = 'EntryDisagrees';
}

const NO_UNITS: Counters = { total: 0, available: 0, held: 0, pending: 0, sold: 0 };

const at = (entry: JournalEntry): string => `${entry.epoch}-${entry.sequence}`;

// What the entry's own transitions say that it did to each product's counters.
function deltasOf(entry: JournalEntry): Map<number, Counters> {
  const deltas = new Map<number, Counters>();
  const add = (productId: number, counter: keyof Counters, units: number) => {
    const delta = deltas.get(productId) ?? { ...NO_UNITS };
    delta[counter] += units;
    deltas.set(productId, delta);
  };
  const move = (event: ReservationEvent, from: UnitCounter, to: UnitCounter) => {
    for (const { productId, qty } of event.items) {
      add(productId, from, -qty);
      add(productId, to, qty);
    }
  };
  for (const event of entry.reservations) {
    if (event.moved) move(event, event.moved.from, event.moved.to);
  }
  for (const { productId, delta } of entry.stock) {
    add(productId, 'total', delta);
    add(productId, 'available', delta);
  }
  return deltas;
}

function plus(a: Counters, b: Counters, sign: 1 | -1): Counters {
  return {
    total: a.total + sign * b.total,
    available: a.available + sign * b.available,
    held: a.held + sign * b.held,
    pending: a.pending + sign * b.pending,
    sold: a.sold + sign * b.sold,
  };
}

export function sameCounters(a: Counters, b: Counters): boolean {
  return (
    a.total === b.total &&
    a.available === b.available &&
    a.held === b.held &&
    a.pending === b.pending &&
    a.sold === b.sold
  );
}

function foldCounters(changes: FoldedChanges, entry: JournalEntry): void {
  const deltas = deltasOf(entry);
  for (const productId of deltas.keys()) {
    if (!entry.counters.has(productId)) {
      throw new EntryDisagrees(`entry ${at(entry)} moves units of product ${productId} unseen`);
    }
  }
  for (const [productId, after] of entry.counters) {
    const delta = deltas.get(productId) ?? NO_UNITS;
    const known: StockChange | undefined = changes.stock.get(productId);
    if (known && !sameCounters(plus(known.after, delta, 1), after)) {
      throw new EntryDisagrees(
        `counters of product ${productId} in entry ${at(entry)} do not follow from the entry before`,
      );
    }
    const before = known?.before ?? plus(after, delta, -1);
    changes.stock.set(productId, { before, after, epoch: entry.epoch, sequence: entry.sequence });
  }
}

function foldHold(changes: FoldedChanges, event: ReservationEvent, atMs: number): void {
  if (event.to === 'held') {
    const made = { event, atMs, state: 'held', version: event.version, endedAtMs: null } as const;
    changes.holdsMade.set(event.id, made);
    return;
  }
  if (event.from !== 'held') return;
  const change: HoldChange = {
    state: event.to === 'pending' ? 'ordered' : (event.to as 'released' | 'expired'),
    version: event.version,
    endedAtMs: atMs,
  };
  const made = changes.holdsMade.get(event.id);
  if (made) changes.holdsMade.set(event.id, { ...made, ...change });
  else changes.holdsChanged.set(event.id, change);
}

function foldOrder(changes: FoldedChanges, event: ReservationEvent, atMs: number): void {
  if (event.to === 'held' || event.from === 'held') {
    if (event.to !== 'pending') return;
    changes.ordersMade.set(event.id, {
      event,
      atMs,
      state: 'pending',
      version: event.version,
      counted: event.counted,
      reference: null,
      settledAtMs: null,
    });
    return;
  }
  const change: OrderChange = {
    state: event.to as OrderChange['state'],
    version: event.version,
    counted: event.counted,
    reference: event.reference === '' ? null : event.reference,
    settledAtMs: atMs,
  };
  const made = changes.ordersMade.get(event.id);
  if (made) changes.ordersMade.set(event.id, { ...made, ...change });
  else changes.ordersChanged.set(event.id, change);
}

function foldOutcome(changes: FoldedChanges, event: OutcomeEvent, atMs: number): void {
  // The first outcome of a receipt stands.
  if (!changes.outcomes.has(event.reference))
    changes.outcomes.set(event.reference, { event, atMs });
}

/**
 * The last state of every row that a run of entries touches. The entries must follow each other.
 * Throws `BrokenJournal` where counters do not follow from the transitions.
 */
export function foldEntries(lane: number, entries: readonly JournalEntry[]): FoldedChanges {
  const changes: FoldedChanges = {
    lane,
    holdsMade: new Map(),
    holdsChanged: new Map(),
    ordersMade: new Map(),
    ordersChanged: new Map(),
    outcomes: new Map(),
    stock: new Map(),
    rules: new Map(),
    adjustments: [],
  };
  for (const entry of entries) {
    for (const event of entry.reservations) {
      foldHold(changes, event, entry.atMs);
      foldOrder(changes, event, entry.atMs);
    }
    for (const event of entry.outcomes) foldOutcome(changes, event, entry.atMs);
    for (const event of entry.stock) {
      const { atMs, epoch, sequence } = entry;
      if (event.key !== '') changes.adjustments.push({ event, atMs, epoch, sequence });
    }
    for (const { productId, version } of entry.rules) changes.rules.set(productId, version);
    foldCounters(changes, entry);
  }
  return changes;
}
