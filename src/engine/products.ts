import type { ChainableCommander } from 'ioredis';
import type { Deadline } from '../domain/deadline.ts';
import type { Product } from '../domain/product.ts';
import type { Item } from '../domain/reservation.ts';
import { Unavailable } from '../domain/unavailable.ts';
import { type ProductFields, readProductsScript } from '../redis/bindings/read-products.ts';
import { askRedis } from '../redis/client.ts';
import { CATALOG_KEY, laneKey } from '../redis/keys.ts';
import type { EngineParts } from './parts.ts';

const PRODUCTS_PER_CALL = 200;

function parseProduct(id: number, lane: number, fields: ProductFields): Product | undefined {
  if (!fields) return undefined;
  const text = (name: string) => fields.get(name) ?? '';
  const numberOrNull = (name: string) => (text(name) === '' ? null : Number(text(name)));
  return {
    id,
    lane,
    name: text('name'),
    priceMinor: Number(text('price_minor')),
    currency: text('currency'),
    status: text('status') as Product['status'],
    startsAtMs: numberOrNull('starts_at_ms'),
    endsAtMs: numberOrNull('ends_at_ms'),
    holdTtlMs: Number(text('hold_ttl_ms')),
    payTtlMs: Number(text('pay_ttl_ms')),
    extendMs: Number(text('extend_ms')),
    maxPerHold: numberOrNull('max_per_hold'),
    maxPerBuyer: numberOrNull('max_per_buyer'),
    total: Number(text('total')),
    available: Number(text('available')),
    held: Number(text('held')),
    pending: Number(text('pending')),
    sold: Number(text('sold')),
  };
}

class LaneClosed extends Unavailable {}

/** Products of a lane that were asked for in one turn of the event loop. */
interface Turn {
  ids: Set<number>;
  products: Promise<Map<number, Product | undefined>>;
}

/** Reads products from Redis; reads of one product in the same turn share one call. */
export class Products {
  readonly #parts: EngineParts;
  /** A product's lane never changes. */
  readonly #laneByProduct = new Map<number, number>();
  readonly #reading = new Map<number, Turn>();

  constructor(parts: EngineParts) {
    this.#parts = parts;
  }

  /** The lane of all these items, where this process knows it already. */
  knownLane(items: readonly Item[]): number | undefined {
    const lane = this.#laneByProduct.get(items[0]?.productId ?? 0);
    const isShared = items.every(({ productId }) => this.#laneByProduct.get(productId) === lane);
    return isShared ? lane : undefined;
  }

  /** The lane of each item's product; undefined for an unknown product. */
  lanesOf(
    items: readonly Item[],
    deadline: Deadline,
  ): Promise<{ productId: number; lane: number | undefined }[]> {
    return Promise.all(
      items.map(async ({ productId }) => {
        const known = this.#laneByProduct.get(productId);
        return { productId, lane: known ?? (await this.#lookUp(productId, deadline)) };
      }),
    );
  }

  async read(id: number, deadline: Deadline): Promise<Product | undefined> {
    const lane = this.#laneByProduct.get(id) ?? (await this.#lookUp(id, deadline));
    if (lane === undefined) return undefined;
    const turn = this.#reading.get(lane) ?? this.#startTurn(lane);
    turn.ids.add(id);
    const products = await askRedis(deadline, 'read', turn.products);
    return products.get(id);
  }

  /** All products; those of a closed lane are left out where `skipsClosed` says so. */
  async list(deadline: Deadline, skipsClosed = false): Promise<Product[]> {
    const { redis } = this.#parts.link;
    const catalog = skipsClosed
      ? await askRedis(deadline, 'read', redis.hgetall(CATALOG_KEY))
      : await this.#complete<Record<string, string>>(
          (multi) => multi.hgetall(CATALOG_KEY),
          deadline,
        );
    const idsByLane = new Map<number, number[]>();
    for (const [id, lane] of Object.entries(catalog)) {
      const ids = idsByLane.get(Number(lane)) ?? [];
      ids.push(Number(id));
      idsByLane.set(Number(lane), ids);
    }
    const products: Product[] = [];
    for (const [lane, ids] of idsByLane) {
      for (let first = 0; first < ids.length; first += PRODUCTS_PER_CALL) {
        const some = ids.slice(first, first + PRODUCTS_PER_CALL);
        const found = await askRedis(deadline, 'read', this.#readLane(lane, some)).catch(
          (error) => {
            if (skipsClosed && error instanceof LaneClosed) return [];
            throw error;
          },
        );
        for (const product of found) if (product) products.push(product);
      }
    }
    return products.sort((a, b) => a.id - b.id);
  }

  async #lookUp(id: number, deadline: Deadline): Promise<number | undefined> {
    const { redis } = this.#parts.link;
    const field = String(id);
    const text =
      (await askRedis(deadline, 'read', redis.hget(CATALOG_KEY, field))) ??
      (await this.#complete<string | null>((multi) => multi.hget(CATALOG_KEY, field), deadline));
    if (text === null) return undefined;
    const lane = Number(text);
    this.#laneByProduct.set(id, lane);
    return lane;
  }

  // What the catalog says while it is complete: while all lanes are open, since a rebuild fills it
  // before it opens its lane. Both are read at one moment.
  async #complete<T>(read: (multi: ChainableCommander) => unknown, deadline: Deadline): Promise<T> {
    const { link, lanes } = this.#parts;
    const reading = link.redis.multi();
    read(reading);
    for (let lane = 0; lane < lanes; lane += 1) reading.hmget(laneKey(lane), 'state', 'run');
    const [listed, ...states] = (await askRedis(deadline, 'read', reading.exec())) ?? [];
    for (const [lane, [, value]] of states.entries()) {
      const [state, run] = value as (string | null)[];
      if (state !== 'open' || run !== link.run()) throw new LaneClosed(`lane ${lane} is not open`);
    }
    return listed?.[1] as T;
  }

  // Everybody who asks within one turn of the event loop waits for the same call.
  #startTurn(lane: number): Turn {
    const ids = new Set<number>();
    const products = new Promise<void>((resolve) => setImmediate(resolve)).then(async () => {
      this.#reading.delete(lane);
      const list = [...ids];
      const found = await this.#readLane(lane, list);
      return new Map(list.map((id, index) => [id, found[index]]));
    });
    const turn = { ids, products };
    this.#reading.set(lane, turn);
    return turn;
  }

  async #readLane(lane: number, ids: number[]): Promise<(Product | undefined)[]> {
    const { redis } = this.#parts.link;
    const reply = await readProductsScript.run(redis, laneKey(lane), { productIds: ids });
    if (reply.status === 'closed') throw new LaneClosed(`lane ${lane} is closed`);
    this.#parts.link.observe(reply.nowMs);
    return reply.products.map((fields, index) => parseProduct(ids[index] ?? 0, lane, fields));
  }
}
