import { randomFillSync } from 'node:crypto';
import { fromUUIDBytes, TypeID } from 'typeid-js';
import { UUID } from 'uuidv7';

/** Lanes fit into the 12 bits of a UUIDv7's `rand_a`. */
export const LANES_MAX = 4096;

/** A reservation's id as Redis and the journal spell it: the 26 characters after the prefix. */
export type ReservationId = string;

const randomPool = Buffer.alloc(8 * 1024);
let randomOffset = randomPool.length;

// Random bytes come from a pool: one system call for a thousand ids instead of one each.
function randomWord(): number {
  if (randomOffset + 4 > randomPool.length) {
    randomFillSync(randomPool);
    randomOffset = 0;
  }
  const word = randomPool.readUInt32BE(randomOffset);
  randomOffset += 4;
  return word;
}

/**
 * A new id whose lane can be read from the id alone.
 *
 * Source: RFC 9562 section 5.7 (UUIDv7); the lane stands in `rand_a`, 62 bits are random.
 */
export function newReservationId(lane: number): ReservationId {
  const uuid = UUID.fromFieldsV7(Date.now(), lane, randomWord() >>> 2, randomWord());
  // `TypeID.fromUUIDBytes` would decode it again, which takes twice as long as all the rest.
  return fromUUIDBytes('', uuid.bytes);
}

/** Names one script call in the journal: 64 random bits as 16 hex digits. */
export function newCall(): string {
  const hex = (word: number) => word.toString(16).padStart(8, '0');
  return hex(randomWord()) + hex(randomWord());
}

export const holdId = (id: ReservationId): string => `hold_${id}`;
export const orderId = (id: ReservationId): string => `order_${id}`;

/** The lane of an id made by `newReservationId`. */
export function laneOf(id: ReservationId): number {
  const bytes = TypeID.fromString(id).toUUIDBytes();
  return (((bytes[6] ?? 0) & 15) << 8) | (bytes[7] ?? 0);
}

/** When an id was made, in milliseconds since 1970, by the clock of the process that made it. */
export function createdAtOf(id: ReservationId): number {
  const bytes = TypeID.fromString(id).toUUIDBytes();
  return bytes.slice(0, 6).reduce((ms, byte) => ms * 256 + byte, 0);
}

const TIME_MAX_MS = 2 ** 48 - 1;

/** Sorts before every id that was made at this moment or later, and behind all others. */
export function firstIdAt(ms: number): ReservationId {
  const time = Math.min(Math.max(0, Math.floor(ms)), TIME_MAX_MS);
  return fromUUIDBytes('', UUID.fromFieldsV7(time, 0, 0, 0).bytes);
}

function parseId(prefix: 'hold' | 'order', text: string): ReservationId | undefined {
  if (!text.startsWith(`${prefix}_`) || text.length !== prefix.length + 27) return undefined;
  try {
    const id = TypeID.fromString(text, prefix).getSuffix();
    laneOf(id);
    return id;
  } catch {
    // typeid-js throws several classes; a malformed id is simply an unknown one.
    return undefined;
  }
}

/** The reservation behind `hold_...`, or undefined when the text is no hold id. */
export const parseHoldId = (text: string): ReservationId | undefined => parseId('hold', text);

/** The reservation behind `order_...`, or undefined when the text is no order id. */
export const parseOrderId = (text: string): ReservationId | undefined => parseId('order', text);
