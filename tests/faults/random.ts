/** Numbers from 0 up to 1, always the same ones for a seed. */
export type Random = () => number;

/**
 * A small generator for decisions, not for secrets.
 *
 * Source: mulberry32 by Tommy Ettinger, public domain
 * (https://gist.github.com/tommyettinger/46a874533244883189143505d203312c).
 */
export function seeded(seed: number, stream = 0): Random {
  // The golden ratio keeps the states of neighbouring streams far apart.
  let state = (seed ^ Math.imul(stream + 1, 0x9e3779b9)) | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** One of the choices, by their shares. */
export function choose<T>(random: Random, shares: readonly (readonly [T, number])[]): T {
  let left = random() * shares.reduce((sum, [, share]) => sum + share, 0);
  for (const [choice, share] of shares) {
    left -= share;
    if (left < 0) return choice;
  }
  return (shares.at(-1) as [T, number])[0];
}

/** A whole number from `min` to `max`, both included. */
export const whole = (random: Random, min: number, max: number): number =>
  min + Math.floor(random() * (max - min + 1));

export function pick<T>(random: Random, list: readonly T[]): T {
  return list[Math.floor(random() * list.length)] as T;
}
