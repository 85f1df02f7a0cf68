import { setTimeout as sleep } from 'node:timers/promises';
import { migrateDatabase } from '../../src/db/migrate.ts';
import { laneKey, productKey } from '../../src/redis/keys.ts';
import { ADMIN_TOKEN, OWN_CHECKOUT } from '../api/settings.ts';
import { Child } from '../ipc.ts';
import { getRequest, postRequest } from '../load/generator.ts';
import type { Stores } from '../servers.ts';
import { auditExpired, auditHolds } from './audit.ts';
import {
  type ApiProcess,
  AuditFailed,
  type Bench,
  type Contender,
  type Contestant,
  mustBe,
  type Question,
  type Task,
} from './contender.ts';

const apiProcess = new URL('../api/process.ts', import.meta.url);
const ALL_ROLES = 'api,writer,expiry,reconciler';
const ROLES_BUT_API = 'writer,expiry,reconciler';
/** Requests for new products at the same time. */
const CREATED_AT_ONCE = 64;
/** Holds outlive the run: what expires is another case. */
const HOLD_TTL_SECONDS = 3_600;
const SETTLE_POLL_MS = 5;
const SETTLE_MS_MAX = 120_000;
const BACK_MS_MAX = 60_000;
const PLENTY = 1_000_000_000;
const FEW = 100;
const LANE = 0;

/** How many processes a Holdfast has, and what they do. */
interface Processes {
  /** Of the role `api`; more than one only with the writer apart. */
  apis?: number;
  /** Roles of the process beside them. */
  besides?: string;
}

/** A running Holdfast and what the bench knows of it. */
export class Holdfast implements Contestant {
  readonly port: number;
  readonly stores: Stores;
  readonly api: Child;
  readonly others: readonly ApiProcess[];
  readonly writer: Child | undefined;
  readonly #bench: Bench;

  constructor(
    bench: Bench,
    stores: Stores,
    [{ api, port }, ...others]: [ApiProcess, ...ApiProcess[]],
    writer: Child | undefined,
  ) {
    this.#bench = bench;
    this.stores = stores;
    this.api = api;
    this.port = port;
    this.others = others;
    this.writer = writer;
  }

  static async open(
    bench: Bench,
    roles: 'together' | 'apart',
    checkout = OWN_CHECKOUT,
    { apis = 1, besides = ROLES_BUT_API }: Processes = {},
  ): Promise<Holdfast> {
    const stores = await bench.servers.stores();
    await migrateDatabase(stores.mysqlUrl);
    const { redisUrl, mysqlUrl } = stores;
    const start = async (itsRoles: string): Promise<ApiProcess> => {
      const settings = { kind: 'holdfast', redisUrl, mysqlUrl, checkout, roles: itsRoles };
      const api = new Child(apiProcess);
      return { api, port: await api.ask<number>('start', settings) };
    };
    if (roles === 'together')
      return new Holdfast(bench, stores, [await start(ALL_ROLES)], undefined);
    const { api: writer } = await start(besides);
    const first = await start('api');
    const others: ApiProcess[] = [];
    while (others.length < apis - 1) others.push(await start('api'));
    return new Holdfast(bench, stores, [first, ...others], writer);
  }

  async createProduct(totalStock: number, holdTtlSeconds = HOLD_TTL_SECONDS): Promise<number> {
    return this.#admin('POST', '/api/admin/products', {
      name: 'Aurora desk lamp',
      price: '129.00',
      currency: 'USD',
      total_stock: totalStock,
      hold_ttl_seconds: holdTtlSeconds,
    });
  }

  async createProducts(count: number, totalStock: number): Promise<number[]> {
    const ids: number[] = [];
    let asked = 0;
    const create = async () => {
      while (asked < count) {
        asked += 1;
        ids.push(await this.createProduct(totalStock));
      }
    };
    await Promise.all(Array.from({ length: CREATED_AT_ONCE }, create));
    return ids;
  }

  /** Holds that are taken from now on last so long. */
  async changeHoldTtl(productId: number, seconds: number): Promise<void> {
    await this.#admin('PATCH', `/api/admin/products/${productId}`, { hold_ttl_seconds: seconds });
  }

  async prepare(question: Question): Promise<Task> {
    const stock = question === 'sold-out' ? FEW : PLENTY;
    const id = await this.createProduct(stock);
    const hold = postRequest('/api/holds', { product_id: id, qty: 1 });
    if (question === 'sold-out') await this.#sellOut(hold);
    const settle = () => this.settle();
    const auditOf = (accepted: number) => this.audit(id, stock, accepted);
    if (question === 'hold') return { requests: [hold], status: 201, settle, audit: auditOf };
    if (question === 'sold-out') {
      return { requests: [hold], status: 409, settle, audit: () => auditOf(FEW) };
    }
    const read = getRequest(`/api/products/${id}`);
    return { requests: [read], status: 200, settle, audit: () => auditOf(0) };
  }

  /** Transitions that MySQL does not have yet. */
  async backlog(): Promise<number> {
    const counts = await this.stores.redis.hmget(laneKey(LANE), 'emitted', 'persisted');
    return Number(counts[0]) - Number(counts[1]);
  }

  /** Resolves once MySQL has everything that Redis has. */
  async settle(): Promise<void> {
    const giveUpAt = performance.now() + SETTLE_MS_MAX;
    for (;;) {
      const backlog = await this.backlog();
      if (backlog === 0) return;
      if (performance.now() > giveUpAt) {
        throw new AuditFailed(`holdfast: ${backlog} transitions were not persisted`);
      }
      await sleep(SETTLE_POLL_MS);
    }
  }

  /** Resolves once Redis has taken all units of a product back. */
  async untilBack(productId: number): Promise<void> {
    const giveUpAt = performance.now() + BACK_MS_MAX;
    for (;;) {
      const held = Number(await this.stores.redis.hget(productKey(LANE, productId), 'held'));
      if (held === 0) return;
      if (performance.now() > giveUpAt) throw new AuditFailed(`${held} units did not come back`);
      await sleep(SETTLE_POLL_MS);
    }
  }

  /** Holds of a product in both stores are as many as the answers that granted them. */
  audit(productId: number, stock: number, accepted: number): Promise<void> {
    return this.auditAll([productId], stock, accepted);
  }

  /** The same of several products of the same stock. */
  auditAll(productIds: readonly number[], stock: number, accepted: number): Promise<void> {
    return auditHolds(this.stores, productIds, stock, accepted);
  }

  /** The same of a product whose holds have all run out. */
  auditExpired(productId: number, stock: number, accepted: number): Promise<void> {
    return auditExpired(this.stores, productId, stock, accepted);
  }

  async close(): Promise<void> {
    for (const { api } of this.others) await api.stop();
    await this.api.stop();
    await this.writer?.stop();
    await this.stores.close();
  }

  // The id of the product that was made or changed.
  async #admin(method: string, path: string, body: object): Promise<number> {
    const answer = await fetch(`http://127.0.0.1:${this.port}${path}`, {
      method,
      headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    const product = (await answer.json()) as { id: number };
    if (!answer.ok) throw new Error(`${method} ${path}: ${JSON.stringify(product)}`);
    return product.id;
  }

  // More buyers than units: the grants are counted, and whoever comes later is refused.
  async #sellOut(hold: string): Promise<void> {
    const load = { port: this.port, requests: [hold], count: FEW * 3 };
    const { statuses } = await this.#bench.generator.run(load);
    mustBe('holdfast, selling out', statuses, { 201: FEW, 409: FEW * 2 });
  }
}

const contender = (
  name: string,
  what: string,
  roles: 'together' | 'apart',
  processes?: Processes,
): Contender => ({
  name,
  what,
  open: (bench) => Holdfast.open(bench, roles, OWN_CHECKOUT, processes),
  inCheckout: (checkout) => ({
    name: `${name} of the other`,
    what: 'the same, compiled in the other checkout',
    open: (bench) => Holdfast.open(bench, roles, checkout, processes),
  }),
});

/** Everything in one process, as `npm start` runs it. */
export const holdfast = contender(
  'Holdfast',
  'all roles in one process, as `npm start` runs it',
  'together',
);

/** The same, with the writer, expiry and the reconciler in a process of their own. */
export const holdfastApart = contender(
  'Holdfast (writer apart)',
  'the API in one process, the other roles in a second one',
  'apart',
);

/** The API twice, each in a process of its own. */
export const holdfastTwoApis = contender(
  'Holdfast (two APIs)',
  'the API in two processes, the other roles in a third one',
  'apart',
  { apis: 2 },
);
