import type { FirstEffects, MadeAdjustment } from '../db/live.ts';
import type { StoredLetter } from '../domain/dead-letters.ts';
import type { LanePart } from '../redis/bindings/load-lane.ts';

type Key = NonNullable<LanePart['keys']>[number];

// What is still remembered of first effects, and for how long.
export function remembered(
  effects: (Omit<Key, 'ttlMs'> & { atMs: number })[],
  aliveMs: number,
): Key[] {
  return effects.flatMap(({ atMs, ...effect }) => {
    const ttlMs = Math.floor(atMs + aliveMs);
    return effect.key !== '' && ttlMs > 0 ? [{ ...effect, ttlMs }] : [];
  });
}

export function effectsOf({ id, hold, order, amountMinor, currency }: FirstEffects) {
  const held = [hold.fingerprint, id, hold.deadlineMs, amountMinor, currency].join('|');
  return [
    { operation: 'hold' as const, key: hold.key, value: held, atMs: hold.atMs },
    { operation: 'order' as const, key: order.key, value: id, atMs: order.atMs },
  ];
}

export const adjustmentOf = ({ id, delta, atMs }: MadeAdjustment) => {
  return { operation: 'adj' as const, key: id, value: String(delta), atMs };
};

/** What a hold or an order that waits as a dead letter may be repeated for: no row tells it. */
export function effectsOfLetter({
  transition,
  atMs,
}: StoredLetter): (Omit<Key, 'ttlMs'> & { atMs: number })[] {
  if (transition.kind !== 'reservation') return [];
  const { id, from, to, key, fingerprint, deadlineMs, amountMinor, currency } = transition.event;
  if (to === 'pending') return [{ operation: 'order', key, value: id, atMs }];
  // An extension has no key.
  if (to !== 'held' || from === 'held') return [];
  const held = [fingerprint, id, deadlineMs, amountMinor, currency].join('|');
  return [{ operation: 'hold', key, value: held, atMs }];
}
