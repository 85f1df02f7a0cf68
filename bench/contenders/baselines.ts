import { type ApiSettings, PLAIN_STOCK, SOLD_OUT_PRODUCT } from '../api/settings.ts';
import { getRequest, postRequest } from '../load/generator.ts';
import { type Contender, mustBe, type Question, type Task } from './contender.ts';
import { inTurn, keyedHolds } from './sending.ts';
import { startApi } from './start.ts';

/** What the baselines sell; another product is sold out. */
export const GRANTED_PRODUCT = 1;
export const PLENTY = 1_000_000_000;

export const nothing = async () => {};

const holdOf = (productId: number) => postRequest('/api/holds', { product_id: productId, qty: 1 });

/** What is asked of a baseline that knows no orders. */
export function askedOf(question: Question): Pick<Task, 'sending' | 'status'> {
  switch (question) {
    case 'hold':
      return { sending: inTurn([holdOf(GRANTED_PRODUCT)]), status: 201 };
    case 'keyed':
      return { sending: keyedHolds(GRANTED_PRODUCT), status: 201 };
    case 'sold-out':
      return { sending: inTurn([holdOf(SOLD_OUT_PRODUCT)]), status: 409 };
    case 'read':
      return { sending: inTurn([getRequest(`/api/products/${GRANTED_PRODUCT}`)]), status: 200 };
    case 'order':
      throw new Error('this baseline makes no orders');
  }
}

const withoutStore = (kind: ApiSettings['kind'], name: string, what: string): Contender => ({
  name,
  what,
  open: async () => {
    const { api, port } = await startApi({ kind });
    const prepare = async (question: Question): Promise<Task> => {
      return { ...askedOf(question), settle: nothing, audit: nothing };
    };
    return { port, api, prepare, close: () => api.stop() };
  },
});

export const nodeHttp = withoutStore('node-http', 'node:http', 'the same answer, nothing else');
export const rawHono = withoutStore('raw-hono', 'raw Hono', 'Hono and zod, the same answer');
export const bare = withoutStore('bare', 'bare', 'the same zod-openapi route and answer, no store');

export const bareLater = withoutStore(
  'bare-later',
  'bare later',
  'bare, each turn of the event loop answered together 2 ms later',
);

/** What Redis itself allows: a counter goes down, and nothing else is done. */
export const plainDecr: Contender = {
  name: 'plain DECR',
  what: 'bare with one `DECR` for each hold, nothing checked, kept or persisted',
  open: async (bench) => {
    const stores = await bench.servers.stores();
    await stores.redis.set(PLAIN_STOCK, PLENTY);
    const { api, port } = await startApi({ kind: 'plain-decr', redisUrl: stores.redisUrl });
    const prepare = async (question: Question): Promise<Task> => ({
      ...askedOf(question),
      settle: nothing,
      audit: async (accepted) => {
        const stock = await stores.redis.get(PLAIN_STOCK);
        mustBe('plain DECR', { stock }, { stock: PLENTY - accepted });
      },
    });
    const close = async () => {
      await api.stop();
      await stores.close();
    };
    return { port, api, prepare, close };
  },
};
