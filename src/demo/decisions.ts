/** What a buyer who got a hold does with it. */
export type WithHold = 'order' | 'abandon' | 'release';

/**
 * How an order is paid: in time, refused by the bank, never, only after its payment window, or by
 * an event that overtakes the order itself.
 */
export type Payment = 'paid' | 'failed' | 'never' | 'late' | 'early';

/** What the payment provider sends once an order is paid. */
export type Afterwards = 'nothing' | 'failure' | 'second_payment';

/** A buyer's life, decided before it starts. What the shop answers is not in it. */
export interface Decisions {
  /** 1 or 2. */
  qty: number;
  /** Sends the hold request a second time at once, with the same `Idempotency-Key`. */
  asksTwice: boolean;
  /** Hangs up on the hold request before its answer, and sends it again with the same key. */
  hangsUp: boolean;
  withHold: WithHold;
  /** Between an answer and the next step. */
  thinksMs: number;
  /** Sends the order request a second time at once, with the same `Idempotency-Key`. */
  ordersTwice: boolean;
  payment: Payment;
  /** How often the payment provider delivers the same event, 1 to 3. */
  deliveries: number;
  afterwards: Afterwards;
}

/** Numbers from 0 up to 1, always the same ones for a seed. */
export type Random = () => number;

/**
 * A small generator for decisions, not for secrets.
 *
 * Source: mulberry32 by Tommy Ettinger, public domain
 * (https://gist.github.com/tommyettinger/46a874533244883189143505d203312c).
 */
export function mulberry32(seed: number): Random {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

// In percent; each list adds up to 100.
const WITH_HOLD: [WithHold, number][] = [
  ['order', 80],
  ['abandon', 12],
  ['release', 8],
];
const PAYMENTS: [Payment, number][] = [
  ['paid', 63],
  ['failed', 10],
  ['never', 7],
  ['late', 10],
  ['early', 10],
];
const AFTERWARDS: [Afterwards, number][] = [
  ['nothing', 94],
  ['failure', 3],
  ['second_payment', 3],
];
const THINKS_MS_MAX = 600;

function choose<T>(random: Random, shares: [T, number][]): T {
  let left = random() * 100;
  for (const [choice, percent] of shares) {
    left -= percent;
    if (left < 0) return choice;
  }
  return (shares.at(-1) as [T, number])[0];
}

/** The decisions of one buyer: the same for the same seed and number, whatever the others do. */
export function decide(seed: number, buyer: number): Decisions {
  // The golden ratio keeps the states of neighbours far apart.
  const random = mulberry32(seed ^ Math.imul(buyer + 1, 0x9e3779b9));
  return {
    qty: random() < 0.15 ? 2 : 1,
    asksTwice: random() < 0.08,
    hangsUp: random() < 0.02,
    withHold: choose(random, WITH_HOLD),
    thinksMs: Math.round(random() * THINKS_MS_MAX),
    ordersTwice: random() < 0.1,
    payment: choose(random, PAYMENTS),
    deliveries: random() < 0.75 ? 1 : random() < 0.8 ? 2 : 3,
    afterwards: choose(random, AFTERWARDS),
  };
}
