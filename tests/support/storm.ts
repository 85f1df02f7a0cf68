import { setTimeout as pause } from 'node:timers/promises';
import { call } from './process.ts';
import { eventually } from './wait.ts';

/** Pause of a client that was answered 503. */
const BACK_OFF_MS = 200;

/** What one request was answered, and when. */
export interface Told {
  what: string;
  status: number;
  code: string;
  retryAfter: string | null;
  /** By the clock of this machine, in milliseconds since 1970. */
  answeredAtMs: number;
  tookMs: number;
}

/** One thing that a client wants. */
export interface Wish {
  what: string;
  /** Its Idempotency-Key, or whatever else makes a repeat harmless; empty for what only reads. */
  key: string;
  ask: () => ReturnType<typeof call>;
}

/** Many clients that buy over HTTP until they are stopped, and remember every answer. */
export interface Storm {
  told: Told[];
  /** Ids of the holds that somebody was told about, by their Idempotency-Key. */
  holds: Map<string, string>;
  /** Keys of the holds that were answered 503, with the time of that answer. */
  unknownHolds: Map<string, number>;
  /** The answer's body; undefined when that was 503. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look at what JSON came, whatever it is.
  ask: (wish: Wish) => Promise<any>;
  stop: () => Promise<void>;
  /** Asks again for everything that was answered 503 and changes something, until it is done. */
  retry: () => Promise<void>;
}

/**
 * Clients take a hold, look at it, and give it back or order and pay. What is answered 503 is
 * remembered, and the client goes on with a new hold.
 */
export function startStorm(url: string, productId: number, clients: number): Storm {
  const storm: Pick<Storm, 'told' | 'holds' | 'unknownHolds'> = {
    told: [],
    holds: new Map(),
    unknownHolds: new Map(),
  };
  const open: Wish[] = [];
  let isOver = false;

  const ask = async (wish: Wish) => {
    const startedAt = performance.now();
    const { status, body, headers } = await wish.ask();
    storm.told.push({
      what: wish.what,
      status,
      code: String(body.code ?? ''),
      retryAfter: headers.get('retry-after'),
      answeredAtMs: Date.now(),
      tookMs: performance.now() - startedAt,
    });
    if (wish.what === 'hold' && status === 201) storm.holds.set(wish.key, body.hold_id);
    return { status, body };
  };
  const first = async (wish: Wish) => {
    const { status, body } = await ask(wish);
    if (status !== 503) return body;
    if (wish.what === 'hold') storm.unknownHolds.set(wish.key, Date.now());
    if (wish.key !== '') open.push(wish);
    await pause(BACK_OFF_MS);
    return undefined;
  };

  const buy = async (name: string) => {
    const key = { 'Idempotency-Key': name };
    const request = { product_id: productId, qty: 1 };
    const post = (what: string, path: string, body: unknown): Wish => {
      return { what, key: name, ask: () => call('POST', url + path, body, key) };
    };
    const hold = await first(post('hold', '/api/holds', request));
    const read = () => call('GET', `${url}/api/products/${productId}`);
    await first({ what: 'product', key: '', ask: read });
    if (!hold) return;
    const at = `${url}/api/holds/${hold.hold_id}`;
    await first({ what: 'read', key: '', ask: () => call('GET', at) });
    if (name.endsWith('3')) {
      await first({ what: 'release', key: name, ask: () => call('DELETE', at) });
      return;
    }
    const order = await first(post('order', '/api/orders', { hold_id: hold.hold_id }));
    if (!order) return;
    const event = { order_id: order.order_id, reference: name, status: 'success' };
    await first(post('webhook', '/api/payments/webhook', event));
  };

  const loops = Array.from({ length: clients }, async (_, client) => {
    for (let turn = 0; !isOver; turn += 1) await buy(`c${client}-${turn}`);
  });
  return {
    ...storm,
    ask: first,
    stop: async () => {
      isOver = true;
      await Promise.all(loops);
    },
    retry: async () => {
      const asking = open.splice(0).map((wish) =>
        eventually(async () => {
          const { status, body } = await ask(wish);
          if (status >= 400) throw new Error(`${wish.what}: ${status} ${body.code}`);
        }),
      );
      await Promise.all(asking);
    },
  };
}
