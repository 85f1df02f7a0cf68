import { randomUUID } from 'node:crypto';
import type { Holdfast } from '../../src/compose.ts';
import { orderId, type ReservationId } from '../../src/domain/ids.ts';
import type {
  Hold,
  HoldOutcome,
  PaymentEvent,
  PaymentOutcome,
  PaymentStatus,
} from '../../src/domain/outcomes.ts';
import { canonicalItems, type Item } from '../../src/domain/reservation.ts';
import { seconds } from './engine.ts';

// Short words for what buyers and payment providers do.

type Process = Pick<Holdfast, 'engine' | 'inbox'>;
type What = { id: number } | Item[];

export const unique = (what: string): string => `${what}-${randomUUID()}`;

export interface HoldOptions {
  qty?: number;
  buyer?: string;
  key?: string;
}

/** Asks for units of one product, or for several items. */
export function hold(
  { engine }: Process,
  what: What,
  { qty = 1, buyer = '', key = '' }: HoldOptions = {},
): Promise<HoldOutcome> {
  const items = Array.isArray(what) ? canonicalItems(what) : [{ productId: what.id, qty }];
  return engine.hold({ items, buyer, key }, seconds(5));
}

/** A hold that must be granted. */
export async function held(process: Process, what: What, options?: HoldOptions): Promise<Hold> {
  const outcome = await hold(process, what, options);
  if (outcome.status !== 'held') throw new Error(`no hold: ${JSON.stringify(outcome)}`);
  return outcome.hold;
}

/** An order that must be made, of a new hold; returns its reservation. */
export async function ordered(
  process: Process,
  what: What,
  options?: HoldOptions,
): Promise<ReservationId> {
  const { id } = await held(process, what, options);
  const outcome = await process.engine.order(id, '', seconds(5));
  if (outcome.status !== 'ordered') throw new Error(`no order: ${JSON.stringify(outcome)}`);
  return id;
}

/** A payment event, as the webhook takes it in. */
export function pay(
  { inbox }: Process,
  id: ReservationId,
  status: PaymentStatus = 'success',
  reference: string = unique('pay'),
): Promise<PaymentOutcome> {
  return inbox.receive({ orderId: orderId(id), reference, status }, seconds(5));
}

/** An event of an order: a success under a new reference, unless it is to be another. */
export const eventOf = (id: ReservationId, more: Partial<PaymentEvent>): PaymentEvent => {
  return { orderId: orderId(id), reference: unique('evt'), status: 'success', ...more };
};

/** References of the payments of an order whose money must go back. */
export async function refundsDueOn(
  { refunds }: Pick<Holdfast, 'refunds'>,
  id: ReservationId,
): Promise<string[]> {
  const found = await refunds.list(undefined, 500, seconds(2));
  const ours = found.refunds.filter((each) => each.orderId === orderId(id));
  return ours.map(({ reference }) => reference);
}

/** The same call, so many times at once. */
export const atOnce = <T>(times: number, call: (index: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: times }, (_, index) => call(index)));

/** How often each status was answered. */
export function tally(outcomes: readonly { status: string }[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { status } of outcomes) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}
