import { expect, test } from 'vitest';
import { newReservationId } from '../../src/domain/ids.ts';
import type { ReservationEvent } from '../../src/domain/journal.ts';
import { foldTransition, noRows } from '../../src/writer/fold.ts';

type Step = [version: number, from: ReservationEvent['from'], to: ReservationEvent['to']];

const MADE: Step = [1, 'none', 'held'];
const EXTENDED: Step = [2, 'held', 'held'];
const ENDS = { pending: 'ordered', released: 'released', expired: 'expired' } as const;
const DEADLINES = [9_000, 12_000, 50_000];

const id = newReservationId(0);

/** The event of a step; each version has a deadline of its own. */
const eventOf = ([version, from, to]: Step): ReservationEvent => ({
  ...{ id, from, to, version, items: [{ productId: 42, qty: 2 }], moved: undefined },
  ...{ buyer: 'ann', counted: false, deadlineMs: DEADLINES[version - 1] ?? 0, amountMinor: 10 },
  ...{ currency: 'USD', pricesMinor: [5], reference: '', key: '', fingerprint: '' },
});

/** What these steps do to rows, folded together; each happens a second after the one before. */
function fold(...steps: Step[]) {
  const rows = noRows(0);
  for (const step of steps) {
    const [sequence] = step;
    const transition = { kind: 'reservation', event: eventOf(step) } as const;
    foldTransition(rows, transition, { epoch: 1, sequence, atMs: sequence * 1_000 });
  }
  return rows;
}

const extended = { state: 'held', version: 2, endedAtMs: null, expiresAtMs: 12_000 };

test('an extension makes no row, it moves the deadline of one', () => {
  const changed = fold(EXTENDED);
  expect(changed.holdsMade.size + changed.ordersMade.size + changed.ordersChanged.size).toBe(0);
  expect([...changed.holdsChanged]).toEqual([[id, extended]]);
  const made = fold(MADE, EXTENDED);
  expect(made.holdsChanged.size).toBe(0);
  expect([...made.holdsMade]).toEqual([[id, { event: eventOf(MADE), atMs: 1_000, ...extended }]]);
});

test.for(['pending', 'released', 'expired'] as const)(
  'the deadline stays the extended one when the hold is %s in the same batch',
  (to) => {
    const ended = { state: ENDS[to], version: 3, endedAtMs: 3_000, expiresAtMs: 12_000 };
    const changed = fold(EXTENDED, [3, 'held', to]);
    expect([...changed.holdsChanged]).toEqual([[id, ended]]);
    const made = fold(MADE, EXTENDED, [3, 'held', to]);
    expect(made.holdsMade.get(id)).toEqual({ event: eventOf(MADE), atMs: 1_000, ...ended });
    expect(made.ordersMade.size).toBe(to === 'pending' ? 1 : 0);
    // Without an extension the row keeps what it has.
    expect(fold([3, 'held', to]).holdsChanged.get(id)).toEqual({ ...ended, expiresAtMs: null });
  },
);
