import { vi } from 'vitest';

const LIMIT_MS = 10_000;
const LOOK_EVERY_MS = 10;

/** Returns what `look` returns as soon as it no longer throws; its last error after the limit. */
export function eventually<T>(look: () => T | Promise<T>, limitMs = LIMIT_MS): Promise<T> {
  return vi.waitFor(look, { timeout: limitMs, interval: LOOK_EVERY_MS });
}
