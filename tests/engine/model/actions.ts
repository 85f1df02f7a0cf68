import fc from 'fast-check';
import { newReservationId } from '../../../src/domain/ids.ts';
import type { Ledger, Reservation } from './ledger.ts';
import type { Change, Request } from './requests.ts';

// Small numbers that stand for what there is at the time, so that a sequence can be shrunk.

export type Action =
  | { do: 'hold'; wants: [number, number][]; buyer: number; key: number }
  | { do: 'order'; target: number; key: number }
  | { do: 'read_hold' | 'release' | 'extend' | 'read_order' | 'cancel'; target: number }
  | { do: 'repeat'; back: number }
  | { do: 'pay'; target: number; reference: number; payment: 'success' | 'failed' }
  | { do: 'adjust'; product: number; delta: number; key: number }
  | { do: 'change'; product: number; change: Change }
  | { do: 'run_out' };

const YEAR_MS = 365 * 24 * 3_600_000;
const past = Date.UTC(2020, 0, 1);
const future = Date.now() + YEAR_MS;

const pick = (max: number) => fc.integer({ min: 0, max });
const choice = <const T extends string>(word: T) => fc.constant(word);
/** Mostly none. */
const keyNumber = fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, pick(4));
/** The newest are the likeliest. 30 and above is an id that nobody has. */
const target = fc.oneof({ weight: 9, arbitrary: pick(3) }, pick(31));
const payment = fc.constantFrom('success' as const, 'success' as const, 'failed' as const);

const change: fc.Arbitrary<Change> = fc.oneof(
  fc.record({ priceMinor: fc.constantFrom(1, 1990, 99_999) }),
  fc.record({ maxPerHold: fc.constantFrom(null, 1, 3) }),
  fc.record({ extendMs: fc.constantFrom(0, 200, 60_000) }),
  fc.constantFrom<Change>(
    { status: 'paused' },
    { startsAtMs: future },
    { endsAtMs: past },
    { startsAtMs: past, endsAtMs: future },
  ),
);
const reopened: Change = { status: 'active', startsAtMs: null, endsAtMs: null };

const want = fc.tuple(
  fc.oneof({ weight: 6, arbitrary: pick(2) }, pick(5)),
  fc.oneof({ weight: 20, arbitrary: fc.integer({ min: 1, max: 2 }) }, fc.constantFrom(3, 10_000)),
);
const hold = fc.record({
  do: choice('hold'),
  wants: fc.oneof(
    { weight: 3, arbitrary: fc.tuple(want) },
    { weight: 2, arbitrary: fc.tuple(want, want) },
  ),
  buyer: pick(2),
  key: keyNumber,
});
const order = fc.record({ do: choice('order'), target, key: keyNumber });
const pay = fc.record({ do: choice('pay'), target, reference: pick(12), payment });
const others = fc.oneof(
  fc.record({
    do: fc.constantFrom('read_hold' as const, 'read_order' as const, 'cancel' as const),
    target,
  }),
  fc.record({ do: choice('release'), target }),
  fc.record({ do: choice('extend'), target }),
  fc.record({
    do: choice('adjust'),
    product: pick(5),
    delta: fc.integer({ min: -4, max: 3 }),
    key: fc.integer({ min: 1, max: 6 }),
  }),
  fc.record({ do: choice('change'), product: pick(4), change }),
  fc.record({ do: choice('change'), product: pick(4), change: fc.constant(reopened) }),
  fc.record({ do: choice('run_out') }),
);

export const anyAction: fc.Arbitrary<Action> = fc.oneof(
  { weight: 5, arbitrary: hold },
  { weight: 4, arbitrary: order },
  { weight: 4, arbitrary: pay },
  { weight: 6, arbitrary: others },
  { weight: 3, arbitrary: fc.record({ do: choice('repeat'), back: pick(8) }) },
);

/** What this run has made and asked so far. */
export interface Past {
  productIds: readonly number[];
  /** Of keys, buyers and references, so that no other run has the same. */
  prefix: string;
  /** The newest last. */
  requests: Request[];
}

const UNKNOWN_PRODUCT = 999_999_999;

// Mostly one that the action is meant for, else any; 30 and above is an unknown id.
function targetOf(ledger: Ledger, at: number, isMeant: (it: Reservation) => boolean): string {
  const all = [...ledger.reservations.values()].reverse();
  const meant = all.filter(isMeant);
  const list = meant.length > 0 && at < 3 ? meant : all;
  const known = at >= 30 ? undefined : list[at % Math.max(1, list.length)];
  return known?.id ?? newReservationId(0);
}

/** What an action asks for now; undefined for the one that only waits. */
export function requestOf(
  action: Action,
  ledger: Ledger,
  { productIds, prefix, requests }: Past,
): Request | undefined {
  const keyOf = (key: number) => (key === 0 ? '' : `${prefix}-key-${key}`);
  switch (action.do) {
    case 'hold': {
      const qtyById = new Map<number, number>();
      for (const [at, qty] of action.wants) qtyById.set(productIds[at] ?? UNKNOWN_PRODUCT, qty);
      const lines = [...qtyById].map(([productId, qty]) => ({ productId, qty }));
      lines.sort((a, b) => a.productId - b.productId);
      const buyer = action.buyer === 0 ? '' : `${prefix}-buyer-${action.buyer}`;
      return { do: 'hold', lines, buyer, key: keyOf(action.key) };
    }
    case 'order':
      return {
        do: 'order',
        id: targetOf(ledger, action.target, (it) => it.state === 'held'),
        key: keyOf(action.key),
      };
    case 'pay': {
      const { reference, payment } = action;
      const id = targetOf(ledger, action.target, (it) => it.ordered);
      return { do: 'pay', id, reference: `${prefix}-pay-${reference}`, payment };
    }
    case 'adjust': {
      const productId = productIds[action.product] ?? UNKNOWN_PRODUCT;
      return { do: 'adjust', productId, delta: action.delta, key: keyOf(action.key) };
    }
    case 'change': {
      const productId = productIds[action.product] ?? UNKNOWN_PRODUCT;
      return { do: 'change', productId, change: action.change };
    }
    case 'run_out':
      return undefined;
    case 'repeat':
      return requests.at(-1 - action.back);
    default: {
      const isOfOrder = action.do === 'cancel' || action.do === 'read_order';
      const id = targetOf(ledger, action.target, (it) => it.ordered === isOfOrder);
      return { do: action.do, id };
    }
  }
}
