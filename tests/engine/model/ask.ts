import type { Holdfast } from '../../../src/compose.ts';
import type { Hold, Order } from '../../../src/domain/outcomes.ts';
import { seconds } from '../../support/engine.ts';
import type { Answer, Request, Told } from './requests.ts';

export interface Asked {
  answer: Answer;
  /** Id and deadline of a hold or order that was answered. */
  told?: Told;
}

const worth = ({ amountMinor, currency, items: lines }: Hold | Order) => ({
  amountMinor,
  currency,
  lines,
});

async function askHold(
  { engine }: Holdfast,
  { lines: items, buyer, key }: Request & { do: 'hold' },
): Promise<Asked> {
  const outcome = await engine.hold({ items, buyer, key }, seconds(5));
  if (outcome.status === 'held') {
    const { id, expiresAtMs } = outcome.hold;
    const answer = { status: 'held', again: null, ...worth(outcome.hold) };
    return { answer, told: { id, deadlineMs: expiresAtMs } };
  }
  // Other reservations of the lane decide this one; it is only ever a hint.
  const { retryAfterMs: _, ...answer } = { retryAfterMs: 0, ...outcome };
  if (outcome.status === 'sale_not_started' || outcome.status === 'sale_ended') {
    return { answer: { status: outcome.status, productId: outcome.productId } };
  }
  return { answer };
}

async function askOrder(
  { engine }: Holdfast,
  { id, key }: Request & { do: 'order' },
): Promise<Asked> {
  const outcome = await engine.order(id, key, seconds(5));
  if (outcome.status !== 'ordered') return { answer: outcome };
  const { order } = outcome;
  const answer = { status: 'ordered', again: null, ...worth(order) };
  return { answer, told: { id: order.id, deadlineMs: order.payByMs } };
}

async function askAboutId(
  { engine }: Holdfast,
  what: 'read_hold' | 'release' | 'extend' | 'read_order' | 'cancel',
  id: string,
): Promise<Answer> {
  switch (what) {
    case 'read_hold': {
      const hold = await engine.readHold(id, seconds(5));
      if (!hold) return { status: 'none' };
      return { status: hold.state, expiresAtMs: hold.expiresAtMs, ...worth(hold) };
    }
    case 'read_order': {
      const order = await engine.readOrder(id, seconds(5));
      if (!order) return { status: 'none' };
      const { state: status, payByMs, reference } = order;
      return { status, payByMs, reference, ...worth(order) };
    }
    case 'release': {
      const outcome = await engine.release(id, seconds(5));
      if (outcome.status !== 'released') return outcome;
      const { hold } = outcome;
      return { status: 'released', expiresAtMs: hold.expiresAtMs, ...worth(hold) };
    }
    case 'extend': {
      const outcome = await engine.extend(id, seconds(5));
      if (outcome.status !== 'extended') return outcome;
      const { hold } = outcome;
      return { status: 'extended', expiresAtMs: hold.expiresAtMs, ...worth(hold) };
    }
    case 'cancel': {
      const outcome = await engine.cancel(id, seconds(5));
      if (outcome.status !== 'cancelled') return outcome;
      const { order } = outcome;
      return { status: 'cancelled', state: order.state, ...worth(order) };
    }
  }
}

/** Asks Holdfast, and reduces its answer to what the books can know. */
export async function ask(holdfast: Holdfast, request: Request): Promise<Asked> {
  const { engine, inbox } = holdfast;
  switch (request.do) {
    case 'hold':
      return askHold(holdfast, request);
    case 'order':
      return askOrder(holdfast, request);
    case 'pay': {
      const { id, reference, payment: status } = request;
      return {
        answer: await inbox.receive({ orderId: `order_${id}`, reference, status }, seconds(5)),
      };
    }
    case 'adjust': {
      const { productId, delta, key } = request;
      const outcome = await engine.admin.adjustStock(productId, delta, key, seconds(5));
      if (outcome.status !== 'adjusted') return { answer: outcome };
      return { answer: { status: 'adjusted', total: outcome.product.total } };
    }
    case 'change': {
      const changed = await engine.admin.change(request.productId, request.change, seconds(5));
      return { answer: { status: changed ? 'changed' : 'none' } };
    }
    default:
      return { answer: await askAboutId(holdfast, request.do, request.id) };
  }
}
