// Every key of a lane, as lua/include/keys.lua spells them; a test compares the two.

export const laneKey = (lane: number): string => `hf:{${lane}}:lane`;
export const dueKey = (lane: number): string => `hf:{${lane}}:due`;
export const outboxKey = (lane: number): string => `hf:{${lane}}:outbox`;
export const productKey = (lane: number, productId: number): string =>
  `hf:{${lane}}:product:${productId}`;
export const reservationKey = (lane: number, id: string): string => `hf:{${lane}}:res:${id}`;
export const buyersKey = (lane: number, productId: number): string =>
  `hf:{${lane}}:buyers:${productId}`;
export const idempotencyKey = (lane: number, operation: 'hold' | 'order', key: string): string =>
  `hf:{${lane}}:idem:${operation}:${key}`;
export const adjustmentKey = (lane: number, key: string): string => `hf:{${lane}}:adj:${key}`;

/** Matches every key of a lane; braces are no special characters of `SCAN`. */
export const laneKeysPattern = (lane: number): string => `hf:{${lane}}:*`;

/** product id -> lane, of every product. */
export const CATALOG_KEY = 'hf:catalog';

/** Of the keys that count a client's requests; they belong to no lane, and expire. */
export const LIMIT_PREFIX = 'hf:limit';

/** Where the writer publishes the calls that MySQL has committed. */
export const commitsChannel = (lane: number): string => `hf:{${lane}}:commits`;

/** The lane of a reservation's key, or undefined for any other key. */
export function laneOfReservationKey(key: string): number | undefined {
  const match = /^hf:\{(\d+)\}:res:/.exec(key);
  return match ? Number(match[1]) : undefined;
}

/** BullMQ's own prefix; the braces keep its keys in one cluster slot. */
export const BULL_PREFIX = '{hf}:bull';
