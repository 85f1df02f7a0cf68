import fc from 'fast-check';
import { expect } from 'vitest';
import type { Holdfast } from '../../../src/compose.ts';
import { newReservationId } from '../../../src/domain/ids.ts';
import { makeProduct, type TestEngine } from '../../support/engine.ts';
import { type Asked, ask } from './ask.ts';
import type { Line, Request } from './requests.ts';

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
const BUYER_MAX = 3;
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

const answersTo = <K extends Request['do']>({ exchanges }: Crowd, what: K) =>
  exchanges.flatMap(({ request, ...asked }) =>
    request.do === what ? [{ ...asked, request: request as Extract<Request, { do: K }> }] : [],
  );

// The same key made one hold, and every request with its content was told of that one.
async function expectOneHoldAKey({ sql }: TestEngine, crowd: Crowd): Promise<void> {
  const idsByKey = new Map<string, Set<string>>();
  for (const { request, told } of answersTo(crowd, 'hold')) {
    if (request.key === '' || !told) continue;
    idsByKey.set(request.key, (idsByKey.get(request.key) ?? new Set()).add(`hold_${told.id}`));
  }
  const rows = await sql(
    'SELECT idempotency_key AS k, id FROM holds WHERE idempotency_key LIKE ?',
    [`${crowd.prefix}-key-%`],
  );
  const found = new Map<string, Set<string>>();
  for (const { k, id } of rows) found.set(k, (found.get(k) ?? new Set()).add(id));
  for (const [key, ids] of found) expect([...ids], `holds under ${key}`).toHaveLength(1);
  expect(found).toEqual(idsByKey);
}

// Every answer that told of an end or a beginning is true of the row.
async function expectAnswersHold({ sql }: TestEngine, crowd: Crowd): Promise<void> {
  const rows = await sql(
    `SELECT h.id, h.state, o.state AS order_state, o.reference FROM holds h
      LEFT JOIN orders o ON o.hold_id = h.id
      WHERE h.id IN (SELECT hold_id FROM hold_items WHERE product_id IN (?))`,
    [crowd.productIds],
  );
  const rowById = new Map(rows.map((row) => [String(row.id).slice('hold_'.length), row]));
  const granted = answersTo(crowd, 'hold').flatMap(({ told }) => (told ? [told.id] : []));
  expect(new Set(rowById.keys()), 'holds told and holds kept').toEqual(new Set(granted));
  for (const { request, answer } of crowd.exchanges) {
    const row = 'id' in request ? rowById.get(request.id) : undefined;
    const said = `${request.do} was answered ${JSON.stringify(answer)}`;
    if (request.do === 'order' && answer.status === 'ordered')
      expect(row?.state, said).toBe('ordered');
    if (answer.status === 'hold_used') expect(row?.state, said).toBe('ordered');
    if (answer.status === 'released') expect(row?.state, said).toBe('released');
    if (answer.status === 'hold_released') expect(row?.state, said).toBe('released');
    if (answer.status === 'hold_expired') expect(row?.state, said).toBe('expired');
    if (answer.status === 'hold_not_found') expect(row, said).toBeUndefined();
    if (answer.status === 'order_paid') expect(row?.order_state, said).toMatch(/paid|refund_due/);
  }
  const orders = answersTo(crowd, 'order').filter(({ answer }) => answer.status === 'ordered');
  for (const { request } of orders.filter(({ request }) => request.key === '')) {
    const same = orders.filter((it) => it.request.id === request.id && it.request.key === '');
    expect(same, `without a key, ${request.id} is ordered once`).toHaveLength(1);
  }
}
