import fc from 'fast-check';
import { expect } from 'vitest';
import type { Holdfast } from '../../../src/compose.ts';
import { newReservationId } from '../../../src/domain/ids.ts';
import { makeProduct, seconds, type TestEngine } from '../../support/engine.ts';
import { type Asked, ask } from './ask.ts';
import type { Line } from './ledger.ts';
import type { Request } from './requests.ts';

// Many clients at once. Nobody can say beforehand what each will be answered; what may never be
// said, together, is checked afterwards.

/** What a client does, by numbers that pick from what everybody has made so far. */
export interface Move {
  do: 'hold' | 'order' | 'release' | 'cancel' | 'pay' | 'adjust' | 'read_hold' | 'read_order';
  at: number;
  qty: number;
  key: number;
  isFailed: boolean;
}

export const anyMove: fc.Arbitrary<Move> = fc.record({
  do: fc.constantFrom<Move['do'][]>(
    ...(['hold', 'hold', 'hold', 'hold', 'order', 'order', 'order', 'release', 'cancel'] as const),
    ...(['pay', 'pay', 'pay', 'adjust', 'read_hold', 'read_order'] as const),
  ),
  at: fc.nat(1_000),
  qty: fc.integer({ min: 1, max: 3 }),
  key: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 12 })),
  isFailed: fc.boolean(),
});

export interface Exchange extends Asked {
  request: Request;
}

const BUYERS = 4;
export const BUYER_MAX = 3;
const SHORT_MS = 60;

export class Crowd {
  readonly productIds: number[];
  readonly prefix: string;
  readonly exchanges: Exchange[] = [];
  readonly #ids: string[] = [];

  constructor(productIds: number[], prefix: string) {
    this.productIds = productIds;
    this.prefix = prefix;
  }

  #requestOf({ do: what, at, qty, key: number, isFailed }: Move): Request {
    const key = number === 0 ? '' : `${this.prefix}-key-${number}`;
    // Among the newest, so that clients meet.
    const id = this.#ids.at(-1 - (at % 6)) ?? newReservationId(0);
    const productId = this.productIds[at % this.productIds.length] ?? 0;
    switch (what) {
      case 'hold': {
        const other = this.productIds[(at + 1) % this.productIds.length] ?? 0;
        const lines: Line[] = [{ productId, qty }];
        if (at % 3 === 0) lines.push({ productId: other, qty: 1 });
        lines.sort((a, b) => a.productId - b.productId);
        return { do: 'hold', lines, buyer: `${this.prefix}-buyer-${at % BUYERS}`, key };
      }
      case 'order':
        return { do: 'order', id, key };
      case 'pay': {
        const payment = isFailed ? 'failed' : 'success';
        return { do: 'pay', id, reference: `${this.prefix}-pay-${at % 12}-${id}`, payment };
      }
      case 'adjust':
        return { do: 'adjust', productId, delta: isFailed ? -qty : qty, key: `key-${number}` };
      default:
        return { do: what, id };
    }
  }

  /** One client: its moves, one after the other. */
  async client(holdfast: Holdfast, moves: readonly Move[]): Promise<void> {
    for (const move of moves) {
      const request = this.#requestOf(move);
      const asked = await ask(holdfast, request);
      if (asked.told && request.do === 'hold') this.#ids.push(asked.told.id);
      this.exchanges.push({ request, ...asked });
    }
  }
}

/** Looks at the products until told to stop: no moment may show a unit too many or too few. */
export async function watch(holdfast: Holdfast, crowd: Crowd, isOver: () => boolean) {
  let looks = 0;
  while (!isOver()) {
    for (const id of crowd.productIds) {
      const product = await holdfast.engine.readProduct(id, seconds(5));
      if (!product) throw new Error(`product ${id} is not there`);
      const { total, available, held, pending, sold } = product;
      expect(available + held + pending + sold).toBe(total);
      expect(Math.min(available, held, pending, sold)).toBeGreaterThanOrEqual(0);
      looks += 1;
    }
  }
  expect(looks).toBeGreaterThan(0);
}

/** A plain product, one with a limit, and one whose holds and orders soon run out. */
export async function newCrowd(t: TestEngine, prefix: string): Promise<Crowd> {
  const short = { holdTtlMs: SHORT_MS, payTtlMs: SHORT_MS, totalStock: 6 };
  const made = await Promise.all([
    makeProduct(t, { totalStock: 12, lane: 0 }),
    makeProduct(t, { totalStock: 12, lane: 0, maxPerBuyer: BUYER_MAX }),
    makeProduct(t, { ...short, lane: 0 }),
  ]);
  return new Crowd(
    made.map(({ id }) => id),
    prefix,
  );
}
