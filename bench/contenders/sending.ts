import { postRequest } from '../load/generator.ts';
import type { Task } from './contender.ts';

/** More than any contender answers in a second, so that a round does not run out of requests. */
const KEYED_PER_SECOND_MAX = 60_000;
const ORDERS_PER_SECOND_MAX = 16_000;
/** All of them go to the generator at once; a long round ends behind so many. */
const REQUESTS_MAX = 500_000;

const enoughFor = (seconds: number, perSecond: number) =>
  Math.min(Math.ceil(seconds * perSecond), REQUESTS_MAX);

/** The same requests in turn, over and over. */
export const inTurn =
  (requests: string[]): Task['sending'] =>
  async () => ({ requests });

/** Holds of one unit, each with a key and a buyer that nobody has sent before. */
export function keyedHolds(productId: number): Task['sending'] {
  let sent = 0;
  return async (seconds) => {
    const requests = Array.from({ length: enoughFor(seconds, KEYED_PER_SECOND_MAX) }, () => {
      sent += 1;
      const body = { product_id: productId, qty: 1, buyer: `buyer-${sent}` };
      return postRequest('/api/holds', body, `checkout-${sent}`);
    });
    return { requests, count: requests.length };
  };
}

/** Where the holds come from that become orders. */
export interface Held {
  /** Ids of holds that nobody has ordered. */
  ids: () => Promise<string[]>;
  /** Makes so many more. */
  hold: (count: number) => Promise<void>;
}

/** Orders, each of a hold of its own that was made before the round. */
export const ordersOf =
  ({ ids, hold }: Held): Task['sending'] =>
  async (seconds) => {
    const count = enoughFor(seconds, ORDERS_PER_SECOND_MAX);
    const missing = count - (await ids()).length;
    if (missing > 0) await hold(missing);
    const requests = (await ids())
      .slice(0, count)
      .map((hold_id) => postRequest('/api/orders', { hold_id }));
    return { requests, count: requests.length };
  };
