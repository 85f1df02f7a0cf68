import type { FoldedChanges, StockChange } from '../db/changes.ts';
import { minus, NO_UNITS, plus, sameCounters } from '../domain/counters.ts';
import type { JournalEntry, Transition, UnitsByProduct } from '../domain/journal.ts';
import type { Counters } from '../domain/product.ts';

/** An entry that cannot be what a script wrote. Nothing of its batch is written. */
export class EntryDisagrees extends Error {
  override readonly name = 'EntryDisagrees';
}

type Units = Map<number, Counters>;

const at = ({ epoch, sequence }: JournalEntry): string => `${epoch}-${sequence}`;

// Counters to add to; those of one product are the same object.
function counted(units: Units, productId: number): Counters {
  let known = units.get(productId);
  if (!known) {
    known = { ...NO_UNITS };
    units.set(productId, known);
  }
  return known;
}

function addTransition(units: Units, { kind, event }: Transition): void {
  if (kind === 'stock') {
    const counters = counted(units, event.productId);
    counters.total += event.delta;
    counters.available += event.delta;
  } else if (kind === 'reservation' && event.moved) {
    const { from, to } = event.moved;
    for (const { productId, qty } of event.items) {
      const counters = counted(units, productId);
      counters[from] -= qty;
      counters[to] += qty;
    }
  }
}

/** What a transition does to the counters of each product. */
export function unitsOf(transition: Transition): UnitsByProduct {
  const units: Units = new Map();
  addTransition(units, transition);
  return [...units];
}

function correctionsOf({ corrected }: JournalEntry): Units {
  const units: Units = new Map();
  for (const { productId, delta } of corrected) {
    units.set(productId, plus(units.get(productId) ?? NO_UNITS, delta));
  }
  return units;
}

function next(
  entry: JournalEntry,
  known: StockChange | undefined,
  after: Counters,
  told: Counters,
  corrected: Counters,
): StockChange {
  const { epoch, sequence } = entry;
  const position = { epoch, sequence };
  // A step that cannot be read may have moved units too: then Redis' own counters are believed.
  const isKnown = entry.unreadable.length === 0;
  const before = known?.redisAfter ?? (isKnown ? minus(minus(after, told), corrected) : undefined);
  if (!before) {
    const unseen = { delta: null, told, broke: undefined };
    return { ...position, ...unseen, redisBefore: after, redisAfter: after, first: position };
  }
  const delta = isKnown ? told : minus(minus(after, before), corrected);
  const expected = plus(plus(before, delta), corrected);
  const breaks = sameCounters(expected, after)
    ? undefined
    : { ...position, expected, found: after };
  return {
    ...position,
    delta: known?.delta === null ? null : plus(known?.delta ?? NO_UNITS, delta),
    told: plus(known?.told ?? NO_UNITS, told),
    redisBefore: known?.redisBefore ?? before,
    redisAfter: after,
    first: known?.first ?? position,
    broke: known?.broke ?? breaks,
  };
}

/**
 * Adds what an entry and its transitions did to counters. Throws `EntryDisagrees` when it moves units of a product and
 * does not say where they stand.
 */
export function foldStock(
  changes: FoldedChanges,
  entry: JournalEntry,
  transitions: readonly Transition[],
): void {
  const told: Units = new Map();
  for (const transition of transitions) addTransition(told, transition);
  const corrected = correctionsOf(entry);
  for (const productId of [...told.keys(), ...corrected.keys()]) {
    if (entry.counters.has(productId)) continue;
    throw new EntryDisagrees(`entry ${at(entry)} moves units of product ${productId} unseen`);
  }
  for (const [productId, after] of entry.counters) {
    const known = changes.stock.get(productId);
    const [delta, correction] = [told.get(productId), corrected.get(productId)];
    const change = next(entry, known, after, delta ?? NO_UNITS, correction ?? NO_UNITS);
    changes.stock.set(productId, change);
  }
  for (const event of entry.marks) {
    const deltas = new Map<number, Counters>();
    const believed = new Map<number, Counters>();
    for (const productId of event.counters.keys()) {
      const change = changes.stock.get(productId);
      if (change?.delta) deltas.set(productId, change.delta);
      else if (change) believed.set(productId, change.redisAfter);
    }
    const { epoch, sequence, atMs } = entry;
    changes.marks.push({ epoch, sequence, atMs, event, deltas, believed });
  }
}
