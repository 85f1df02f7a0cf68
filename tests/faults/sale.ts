import { setTimeout as pause } from 'node:timers/promises';
import { type Attempt, answerOf, History, type Operation, type Request } from './history.ts';
import { pick, type Random, seeded, whole } from './random.ts';
import { ADMIN_TOKEN, Shop } from './shop.ts';
import type { World } from './world.ts';

export interface Product {
  id: number;
  name: string;
  stock: number;
  maxPerBuyer?: number;
}

export interface SaleOptions {
  seed: number;
  /** At least so many; more where the fault takes longer. */
  operations: number;
  clients: number;
}

/** How often a request without an answer is sent again, as real clients would. */
const TRIES_MAX: Record<Request['kind'], number> = {
  hold: 4,
  order: 6,
  extend: 4,
  release: 4,
  cancel: 4,
  pay: 8,
  restock: 8,
  read: 1,
};
const STUCK_MS = 180_000;
const CREATE_TRIES_MAX = 50;
const RETRY_PAUSE_MS_MIN = 80;
const RETRY_PAUSE_MS_MAX = 350;
/** Between two steps of a client; longer once the sale only waits for the fault to end. */
const THINK_MS_MAX = 40;
const IDLE_THINK_MS_MAX = 400;

/** One sale: products, clients, and everything that they were told. */
export class Sale {
  readonly history = new History();
  readonly world: World;
  readonly seed: number;
  readonly clients: number;
  readonly products: Product[] = [];
  readonly #target: number;
  readonly #shop: Shop;
  readonly #random: Random;
  readonly #later = new Set<Promise<void>>();
  #closing = false;
  #retriesEndAt = Number.POSITIVE_INFINITY;

  constructor(world: World, { seed, operations, clients }: SaleOptions) {
    this.world = world;
    this.seed = seed;
    this.clients = clients;
    this.#target = operations;
    this.#shop = new Shop(clients * 2);
    this.#random = seeded(seed, 0x5a1e);
  }

  /** Puts a product on sale; tries again until it is. */
  async create(
    name: string,
    stock: number,
    more: { max_per_buyer?: number; hold_ttl_seconds?: number; extend_seconds?: number } = {},
  ): Promise<Product> {
    const body = { name, price: '9.50', currency: 'USD', total_stock: stock, ...more };
    const { id } = await this.admin('POST', '/api/admin/products', body);
    const limit = more.max_per_buyer === undefined ? {} : { maxPerBuyer: more.max_per_buyer };
    const product = { id: id as number, name, stock, ...limit };
    this.products.push(product);
    return product;
  }

  /** An admin call that must succeed. */
  async admin(method: 'POST' | 'PATCH', path: string, body?: unknown): Promise<{ id?: number }> {
    const headers = { authorization: `Bearer ${ADMIN_TOKEN}` };
    for (let tries = 1; ; tries += 1) {
      const [url = ''] = this.world.apiUrls();
      const answer = await this.#shop
        .call(url, { method, path, headers, ...(body === undefined ? {} : { body }) })
        .catch((error: Error) => ({ status: 0, body: { detail: error.message } }));
      if (answer.status >= 200 && answer.status < 300) return answer.body as { id?: number };
      if (tries === CREATE_TRIES_MAX) throw new Error(`${path}: ${JSON.stringify(answer)}`);
      await pause(100);
    }
  }

  /** Asks for it until somebody says what happened, a bounded number of times. */
  async ask(
    client: string,
    request: Request,
    triesMax: number = TRIES_MAX[request.kind],
  ): Promise<Operation> {
    const operation = this.history.begin(client, request);
    await this.askAgain(operation, triesMax);
    return operation;
  }

  /** The same request as before, as a client that came back would send it. */
  async askAgain(operation: Operation, triesMax: number): Promise<Attempt | undefined> {
    // Without a key a second hold would be another one.
    const { request } = operation;
    const tries = request.kind === 'hold' && request.key === undefined ? 1 : triesMax;
    for (let number = 1; number <= tries; number += 1) {
      if (number > 1) {
        if (performance.now() > this.#retriesEndAt) break;
        await pause(whole(this.#random, RETRY_PAUSE_MS_MIN, RETRY_PAUSE_MS_MAX));
      }
      const urls = this.world.apiUrls();
      if (urls.length === 0) continue;
      const attempt = await this.#shop.attempt(operation, pick(this.#random, urls));
      if (attempt.outcome !== 'unknown') return attempt;
    }
    return answerOf(operation);
  }

  /** Work that outlasts the step it begins in: late and repeated payments. */
  later(work: Promise<unknown>): void {
    const settled = work.then(
      () => {},
      () => {},
    );
    this.#later.add(settled);
    void settled.then(() => this.#later.delete(settled));
  }

  /** Everything that was begun has its answers. */
  async quiet(): Promise<void> {
    while (this.#later.size > 0) await Promise.all(this.#later);
  }

  get progress(): number {
    return this.history.operations.length / this.#target;
  }

  get isOver(): boolean {
    return this.#closing && this.progress >= 1;
  }

  /**
   * The fault is over: the sale may end once it has its operations. Nobody tries again after so
   * many milliseconds.
   */
  mayEnd(patienceMs: number): void {
    this.#closing = true;
    this.#retriesEndAt = performance.now() + patienceMs;
  }

  /** Resolves once this share of the operations has begun. */
  async reaches(share: number): Promise<void> {
    const startedAt = performance.now();
    while (this.progress < share) {
      if (performance.now() - startedAt > STUCK_MS) {
        throw new Error(`the sale is stuck at ${this.history.operations.length} operations`);
      }
      await pause(5);
    }
  }

  /** Resolves after as many more operations. */
  more(share: number): Promise<void> {
    return this.reaches(this.progress + share);
  }

  think(random: Random): Promise<void> {
    return pause(whole(random, 0, this.progress < 1 ? THINK_MS_MAX : IDLE_THINK_MS_MAX));
  }

  close(): void {
    this.#shop.close();
  }
}
