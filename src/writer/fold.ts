import type {
  Apart,
  DeadLetter,
  FoldedChanges,
  HoldChange,
  OrderChange,
  RowChanges,
} from '../db/changes.ts';
import { FOLLOWS } from '../db/dead-letters.ts';
import {
  type JournalEntry,
  type OutcomeEvent,
  type ReservationEvent,
  type Transition,
  transitionsOf,
} from '../domain/journal.ts';
import { foldStock, unitsOf } from './fold-stock.ts';

/** Entries are missing, or of another history than MySQL's. Nothing of their batch is written. */
export class BrokenJournal extends Error {
  override readonly name = 'BrokenJournal';
}

/** When and where an entry happened. */
type Moment = Pick<JournalEntry, 'epoch' | 'sequence' | 'atMs'>;

function foldHold(changes: RowChanges, event: ReservationEvent, atMs: number): void {
  const { id, from, to, version, deadlineMs } = event;
  if (from === 'none') {
    const open = { endedAtMs: null, expiresAtMs: null };
    changes.holdsMade.set(id, { event, atMs, state: 'held', version, ...open });
    return;
  }
  if (from !== 'held') return;
  const made = changes.holdsMade.get(id);
  const before = made ?? changes.holdsChanged.get(id);
  const isExtended = to === 'held';
  const change: HoldChange = {
    state: to === 'pending' ? 'ordered' : (to as 'held' | 'released' | 'expired'),
    version,
    endedAtMs: isExtended ? null : atMs,
    // What ends a hold has a deadline of its own, or none.
    expiresAtMs: isExtended ? deadlineMs : (before?.expiresAtMs ?? null),
  };
  if (made) changes.holdsMade.set(id, { ...made, ...change });
  else changes.holdsChanged.set(id, change);
}

function foldOrder(changes: RowChanges, event: ReservationEvent, atMs: number): void {
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
      refundedAtMs: null,
    });
    return;
  }
  const made = changes.ordersMade.get(event.id);
  const before = made ?? changes.ordersChanged.get(event.id);
  const isRefund = event.to === 'refunded' || event.to === 'returned';
  const change: OrderChange = {
    state: event.to as OrderChange['state'],
    version: event.version,
    counted: event.counted,
    reference: event.reference === '' ? null : event.reference,
    // A refund settles nothing: null leaves the moment alone that the row has.
    settledAtMs: isRefund ? (before?.settledAtMs ?? null) : atMs,
    refundedAtMs: isRefund ? (before?.refundedAtMs ?? atMs) : null,
  };
  if (made) changes.ordersMade.set(event.id, { ...made, ...change });
  else changes.ordersChanged.set(event.id, change);
}

function foldOutcome(changes: RowChanges, event: OutcomeEvent, atMs: number): void {
  // The first outcome of a receipt stands.
  if (changes.outcomes.has(event.reference)) return;
  changes.outcomes.set(event.reference, { event, atMs });
}

/** No changes yet. */
export const noRows = (lane: number): RowChanges => ({
  lane,
  holdsMade: new Map(),
  holdsChanged: new Map(),
  ordersMade: new Map(),
  ordersChanged: new Map(),
  outcomes: new Map(),
  rules: new Map(),
  adjustments: [],
  history: [],
});

/** Adds what a transition does to rows. */
export function foldTransition(changes: RowChanges, transition: Transition, moment: Moment): void {
  const { epoch, sequence, atMs } = moment;
  switch (transition.kind) {
    case 'reservation':
      foldHold(changes, transition.event, atMs);
      foldOrder(changes, transition.event, atMs);
      changes.history.push({ event: transition.event, atMs, epoch, sequence });
      return;
    case 'outcome':
      foldOutcome(changes, transition.event, atMs);
      return;
    case 'stock': {
      const { event } = transition;
      if (event.key !== '') changes.adjustments.push({ event, atMs, epoch, sequence });
      return;
    }
    case 'rules':
      changes.rules.set(transition.event.productId, transition.event.version);
      return;
    case 'unreadable':
      throw new Error(`journal entry ${epoch}-${sequence}: ${transition.event.why}`);
  }
}

/** The reservation that a transition is of, or ''. */
function reservationOf({ kind, event }: Transition): string {
  if (kind === 'reservation' || kind === 'outcome') return event.id;
  if (kind !== 'unreadable' || !/^(reservation|outcome)$/.test(event.field)) return '';
  return event.value.split('\t')[event.field === 'outcome' ? 1 : 0] ?? '';
}

function letterOf(
  entry: JournalEntry,
  transition: Transition,
  ordinal: number,
  error: string,
): DeadLetter {
  const { epoch, sequence, atMs } = entry;
  const [reservation, units] = [reservationOf(transition), unitsOf(transition)];
  return { epoch, sequence, ordinal, transition, reservation, units, atMs, error };
}

/**
 * The last state of every row that a run of entries touches. The entries must follow each other.
 * Transitions that cannot be read, and those of a reservation in `quarantined`, become dead letters.
 * Throws `EntryDisagrees` on an entry that no script writes.
 */
export function foldEntries(
  lane: number,
  entries: readonly JournalEntry[],
  quarantined: ReadonlySet<string> = new Set(),
): FoldedChanges {
  const changes: FoldedChanges = {
    ...noRows(lane),
    stock: new Map(),
    marks: [],
    deadLetters: [],
  };
  const waiting = new Set(quarantined);
  for (const entry of entries) {
    const transitions = transitionsOf(entry);
    for (const [ordinal, transition] of transitions.entries()) {
      const id = reservationOf(transition);
      const isWaiting = id !== '' && waiting.has(id);
      if (isWaiting || transition.kind === 'unreadable') {
        const why = transition.kind === 'unreadable' ? transition.event.why : FOLLOWS;
        changes.deadLetters.push(letterOf(entry, transition, ordinal, why));
        waiting.add(id);
      } else foldTransition(changes, transition, entry);
    }
    foldStock(changes, entry, transitions);
  }
  return changes;
}

/** The transitions of one entry, each by itself, in order: for when they are not taken together. */
export function foldApart(lane: number, entry: JournalEntry): Apart[] {
  return transitionsOf(entry).flatMap((transition, ordinal) => {
    if (transition.kind === 'unreadable') return [];
    const rows = noRows(lane);
    foldTransition(rows, transition, entry);
    return [{ rows, letter: letterOf(entry, transition, ordinal, '') }];
  });
}
