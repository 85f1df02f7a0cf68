import { expect, test } from 'vitest';
import { newReservationId } from '../../src/domain/ids.ts';
import type {
  JournalEntry,
  OutcomeEvent,
  ReservationEvent,
  StockEvent,
} from '../../src/domain/journal.ts';
import type { Counters } from '../../src/domain/product.ts';
import { foldEntries } from '../../src/writer/fold.ts';
import { EntryDisagrees } from '../../src/writer/fold-stock.ts';

const PRODUCT = 42;
const NONE: Counters = { total: 0, available: 0, held: 0, pending: 0, sold: 0 };
const COUNTER = {
  none: 'available',
  held: 'held',
  pending: 'pending',
  paid: 'sold',
  released: 'available',
  expired: 'available',
  cancelled: 'available',
} as const;

type State = keyof typeof COUNTER;

/** A journal as the scripts write it: every entry leads to its own counters. */
function journal() {
  const entries: JournalEntry[] = [];
  const counters = new Map<number, Counters>();
  const countersOf = (id: number) => counters.get(id) ?? { ...NONE };
  const move = (id: number, changes: [keyof Counters, number][]) => {
    const after = { ...countersOf(id) };
    for (const [counter, units] of changes) after[counter] += units;
    counters.set(id, after);
  };
  const append = (parts: Partial<JournalEntry>, touched: number[]) => {
    const sequence = entries.length;
    const told = new Map(touched.map((id) => [id, { ...countersOf(id) }]));
    const base = { epoch: 1, sequence, call: `c${sequence}`, prev: `c${sequence - 1}` };
    const nothing = {
      ...{ emitted: 0, reservations: [], stock: [], rules: [], outcomes: [] },
      ...{ corrected: [], marks: [], unreadable: [] },
    };
    entries.push({ ...base, atMs: 1_000 + sequence, ...nothing, ...parts, counters: told });
  };
  return {
    entries,
    stock(delta: number, key = '', productId = PRODUCT) {
      const event: StockEvent = { productId, delta, key };
      move(productId, [
        ['total', delta],
        ['available', delta],
      ]);
      append({ stock: [event] }, [productId]);
    },
    step(id: string, version: number, from: State, to: Exclude<State, 'none'>, more = {}) {
      const items = [{ productId: PRODUCT, qty: 2 }];
      const [left, right] = [COUNTER[from], COUNTER[to]];
      move(PRODUCT, [
        [left, -2],
        [right, 2],
      ]);
      const event: ReservationEvent = {
        ...{ id, from, to, version, items, buyer: 'ann', counted: false, deadlineMs: 9_000 },
        moved: left === right ? undefined : { from: left, to: right },
        ...{ amountMinor: 10, currency: 'USD', pricesMinor: [5], reference: '' },
        ...{ key: '', fingerprint: '', ...more },
      };
      append({ reservations: [event] }, left === right ? [] : [PRODUCT]);
      return event;
    },
    outcome(event: OutcomeEvent) {
      append({ outcomes: [event] }, []);
    },
  };
}

test('a whole life in one batch is one row of each kind, in its last state', () => {
  const { entries, stock, step } = journal();
  const id = newReservationId(0);
  stock(10);
  const made = step(id, 1, 'none', 'held');
  const order = step(id, 2, 'held', 'pending', { deadlineMs: 20_000 });
  step(id, 3, 'pending', 'paid', { reference: 'pay-1' });
  const changes = foldEntries(3, entries);
  expect(changes.lane).toBe(3);
  expect([...changes.holdsMade]).toEqual([
    [
      id,
      {
        event: made,
        atMs: 1_001,
        state: 'ordered',
        version: 2,
        endedAtMs: 1_002,
        expiresAtMs: null,
      },
    ],
  ]);
  expect([...changes.ordersMade]).toEqual([
    [
      id,
      {
        ...{ event: order, atMs: 1_002, state: 'paid', version: 3, counted: false },
        ...{ reference: 'pay-1', settledAtMs: 1_003, refundedAtMs: null },
      },
    ],
  ]);
  expect(changes.holdsChanged.size + changes.ordersChanged.size).toBe(0);
  const after = { total: 10, available: 8, held: 0, pending: 0, sold: 2 };
  expect(changes.stock.get(PRODUCT)).toEqual({
    ...{ redisBefore: NONE, redisAfter: after, delta: after, told: after, epoch: 1, sequence: 3 },
    ...{ first: { epoch: 1, sequence: 0 }, broke: undefined },
  });
});

test('a life that began in an earlier batch only changes its rows', () => {
  const { entries, stock, step } = journal();
  const [released, late] = [newReservationId(0), newReservationId(0)];
  stock(10);
  for (const id of [released, late]) step(id, 1, 'none', 'held');
  step(late, 2, 'held', 'pending');
  step(late, 3, 'pending', 'expired');
  step(released, 2, 'held', 'released');
  step(late, 4, 'expired', 'paid', { reference: 'pay-1' });
  const { atMs } = entries[5] ?? { atMs: 0 };
  const changes = foldEntries(0, entries.slice(5));
  expect(changes.holdsMade.size + changes.ordersMade.size).toBe(0);
  const hold = { state: 'released', version: 2, endedAtMs: atMs, expiresAtMs: null };
  expect([...changes.holdsChanged]).toEqual([[released, hold]]);
  const order = {
    ...{ state: 'paid', version: 4, counted: false },
    ...{ reference: 'pay-1', settledAtMs: atMs + 1, refundedAtMs: null },
  };
  expect([...changes.ordersChanged]).toEqual([[late, order]]);
  const { redisBefore, redisAfter } = changes.stock.get(PRODUCT) ?? {};
  expect(redisBefore).toEqual({ total: 10, available: 8, held: 2, pending: 0, sold: 0 });
  expect(redisAfter).toEqual({ total: 10, available: 8, held: 0, pending: 0, sold: 2 });
});

test('an order of an earlier hold is made, and its hold changed', () => {
  const { entries, stock, step } = journal();
  const id = newReservationId(0);
  stock(10);
  step(id, 1, 'none', 'held');
  const event = step(id, 2, 'held', 'pending');
  step(id, 3, 'pending', 'cancelled');
  const changes = foldEntries(0, entries.slice(2));
  expect(changes.holdsMade.size).toBe(0);
  const hold = { state: 'ordered', version: 2, endedAtMs: 1_002, expiresAtMs: null };
  expect(changes.holdsChanged.get(id)).toEqual(hold);
  expect(changes.ordersMade.get(id)).toMatchObject({ event, state: 'cancelled', version: 3 });
});

test('the first outcome of a receipt stands, and reservations stay out of each other’s way', () => {
  const { entries, outcome } = journal();
  const id = newReservationId(0);
  outcome({ reference: 'a', id, outcome: 'applied', orderState: 'paid' });
  outcome({ reference: 'b', id, outcome: 'refund_due', orderState: 'paid' });
  outcome({ reference: 'a', id, outcome: 'ignored', orderState: 'paid' });
  const { outcomes } = foldEntries(0, entries);
  expect(
    [...outcomes].map(([reference, { event, atMs }]) => [reference, event.outcome, atMs]),
  ).toEqual([
    ['a', 'applied', 1_000],
    ['b', 'refund_due', 1_001],
  ]);
});

test('adjustments are told with their position, creations are not adjustments', () => {
  const { entries, stock } = journal();
  stock(5);
  stock(3, 'delivery');
  stock(-4, 'created');
  const { adjustments, stock: rows } = foldEntries(0, entries);
  expect(adjustments.map(({ event, sequence, atMs }) => [event.key, sequence, atMs])).toEqual([
    ['delivery', 1, 1_001],
    ['created', 2, 1_002],
  ]);
  expect(rows.get(PRODUCT)?.redisAfter).toEqual({ ...NONE, total: 4, available: 4 });
});

test('an entry that moves units and does not tell the counters is broken', () => {
  const { entries, stock, step } = journal();
  stock(10);
  step(newReservationId(0), 1, 'none', 'held');
  entries[1]?.counters.clear();
  expect(() => foldEntries(0, entries)).toThrow(EntryDisagrees);
  expect(() => foldEntries(0, entries)).toThrow('entry 1-1 moves units of product 42 unseen');
});

test('an entry whose counters moved more than it tells is where they parted', () => {
  const { entries, stock } = journal();
  stock(10);
  stock(1, 'a');
  stock(1, 'b');
  for (const entry of entries.slice(1)) {
    const counters = entry.counters.get(PRODUCT);
    if (counters) counters.sold += 1;
  }
  const expected = { ...NONE, total: 11, available: 11 };
  expect(foldEntries(0, entries).stock.get(PRODUCT)).toMatchObject({
    delta: { ...NONE, total: 12, available: 12 },
    redisAfter: { ...NONE, total: 12, available: 12, sold: 1 },
    broke: { epoch: 1, sequence: 1, expected, found: { ...expected, sold: 1 } },
  });
});

test('a quarantined reservation waits, its units move all the same', () => {
  const { entries, stock, step, outcome } = journal();
  const [waiting, other] = [newReservationId(0), newReservationId(0)];
  stock(10);
  step(other, 1, 'none', 'held');
  step(waiting, 2, 'held', 'pending');
  outcome({ reference: 'a', id: waiting, outcome: 'applied', orderState: 'paid' });
  const changes = foldEntries(0, entries, new Set([waiting]));
  expect([...changes.holdsMade.keys()]).toEqual([other]);
  expect(changes.ordersMade.size + changes.outcomes.size).toBe(0);
  expect(changes.deadLetters.map(({ sequence, reservation }) => [sequence, reservation])).toEqual([
    [2, waiting],
    [3, waiting],
  ]);
  expect(changes.deadLetters[0]?.units).toEqual([[PRODUCT, { ...NONE, held: -2, pending: 2 }]]);
  expect(changes.stock.get(PRODUCT)?.delta).toMatchObject({ available: 8, pending: 2, held: 0 });
});

test('what cannot be read waits, and so does what follows it', () => {
  const { entries, stock, step } = journal();
  const id = newReservationId(0);
  stock(10);
  step(id, 1, 'none', 'held');
  step(id, 2, 'held', 'pending');
  const entry = entries[1];
  if (!entry) throw new Error('no entry');
  entry.reservations = [];
  entry.unreadable = [{ field: 'reservation', value: `${id}\tnone\theld`, why: 'too short' }];
  const changes = foldEntries(0, entries);
  expect(changes.deadLetters.map(({ reservation, error }) => [reservation, error])).toEqual([
    [id, 'too short'],
    [id, 'follows an earlier transition of the same reservation'],
  ]);
  // Redis' own counters tell what it did.
  expect(changes.stock.get(PRODUCT)).toMatchObject({
    ...{ broke: undefined, delta: { total: 10, available: 8, held: 0, pending: 2, sold: 0 } },
  });
});
