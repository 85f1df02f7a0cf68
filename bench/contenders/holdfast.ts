import { setTimeout as sleep } from 'node:timers/promises';
import type { RowDataPacket } from 'mysql2/promise';
import { migrateDatabase } from '../../src/db/migrate.ts';
import { laneKey, productKey } from '../../src/redis/keys.ts';
import { ADMIN_TOKEN, type ApiSettings, OWN_CHECKOUT } from '../api/settings.ts';
import type { Child } from '../ipc.ts';
import { getRequest, postRequest } from '../load/generator.ts';
import { takeHolds } from '../load/take.ts';
import type { Stores } from '../servers.ts';
import { auditStores, type Granted } from './audit.ts';
import {
  type ApiProcess,
  AuditFailed,
  type Bench,
  type Contestant,
  mustBe,
  type Question,
  type Task,
} from './contender.ts';
import { inTurn, keyedHolds, ordersOf } from './sending.ts';
import { startApi } from './start.ts';

const ALL_ROLES = 'api,writer,expiry,reconciler';
const ROLES_BUT_API = 'writer,expiry,reconciler';
/** Requests for new products at the same time. */
const CREATED_AT_ONCE = 64;
/** Holds and orders outlive the run: what expires is another case. */
const TTL_SECONDS = 3_600;
/** Of a product that counts the units of each buyer. */
const PER_BUYER_MAX = 4;
const SETTLE_POLL_MS = 5;
const SETTLE_MS_MAX = 120_000;
const BACK_MS_MAX = 60_000;
const PLENTY = 1_000_000_000;
const FEW = 100;
const LANE = 0;

/** How a Holdfast is started. */
export interface Setup {
  roles: 'together' | 'apart';
  /** Processes of the role `api`; more than one only with the writer apart. */
  apis?: number;
  /** Roles of the process beside them, where the writer is apart. */
  besides?: string;
  checkout?: string;
  /** Most holds in one script call; as it chooses itself where left out. */
  batchMax?: number;
}

/** Rules of a product, as the API names them. */
interface Rules {
  hold_ttl_seconds?: number;
  max_per_buyer?: number;
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
    { roles, apis = 1, besides = ROLES_BUT_API, checkout = OWN_CHECKOUT, batchMax }: Setup,
  ): Promise<Holdfast> {
    const stores = await bench.servers.stores();
    await migrateDatabase(stores.mysqlUrl);
    const { redisUrl, mysqlUrl } = stores;
    const start = (ownRoles: string) => {
      const settings: ApiSettings = {
        ...{ kind: 'holdfast', redisUrl, mysqlUrl, checkout, batchMax },
        roles: ownRoles,
      };
      return startApi(settings);
    };
    const writer = roles === 'apart' ? (await start(besides)).api : undefined;
    const first = await start(roles === 'apart' ? 'api' : ALL_ROLES);
    const others: ApiProcess[] = [];
    while (others.length < apis - 1) others.push(await start('api'));
    return new Holdfast(bench, stores, [first, ...others], writer);
  }

  createProduct(totalStock: number, rules: Rules = {}): Promise<number> {
    return this.#admin('POST', '/api/admin/products', {
      name: 'Aurora desk lamp',
      price: '129.00',
      currency: 'USD',
      total_stock: totalStock,
      hold_ttl_seconds: TTL_SECONDS,
      pay_ttl_seconds: TTL_SECONDS,
      ...rules,
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

  /** For the holds that are taken from now on. */
  async changeRules(productId: number, rules: Rules): Promise<void> {
    await this.#admin('PATCH', `/api/admin/products/${productId}`, rules);
  }

  async prepare(question: Question): Promise<Task> {
    const stock = question === 'sold-out' ? FEW : PLENTY;
    const rules = question === 'keyed' ? { max_per_buyer: PER_BUYER_MAX } : {};
    const id = await this.createProduct(stock, rules);
    const hold = postRequest('/api/holds', { product_id: id, qty: 1 });
    const settle = () => this.settle();
    const audit = (holds: number) => this.audit(id, stock, { holds });
    switch (question) {
      case 'hold':
        return { sending: inTurn([hold]), status: 201, settle, audit };
      case 'keyed':
        return { sending: keyedHolds(id), status: 201, settle, audit };
      case 'order':
        return this.#ordering(id);
      case 'sold-out':
        await this.#sellOut(hold);
        return { sending: inTurn([hold]), status: 409, settle, audit: () => audit(FEW) };
      case 'read': {
        const read = getRequest(`/api/products/${id}`);
        return { sending: inTurn([read]), status: 200, settle, audit: () => audit(0) };
      }
    }
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

  /** What was granted of a product, or of several of the same stock, is in both stores. */
  audit(products: number | readonly number[], stock: number, granted: Granted): Promise<void> {
    return auditStores(this.stores, [products].flat(), stock, granted);
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

  async #heldIds(productId: number): Promise<string[]> {
    const [rows] = await this.stores.mysql.query<RowDataPacket[]>(
      'SELECT id FROM hold_items JOIN holds ON id = hold_id' +
        " WHERE product_id = ? AND state = 'held'",
      [productId],
    );
    return rows.map(({ id }) => String(id));
  }

  #ordering(productId: number): Task {
    let holds = 0;
    const settle = () => this.settle();
    const sending = ordersOf({
      ids: () => this.#heldIds(productId),
      hold: async (count) => {
        await takeHolds(this.#bench, this.port, productId, { count });
        await settle();
        holds += count;
      },
    });
    const audit = (orders: number) => this.audit(productId, PLENTY, { holds, orders });
    return { sending, status: 201, settle, audit };
  }

  // More buyers than units: the grants are counted, and whoever comes later is refused.
  async #sellOut(hold: string): Promise<void> {
    const load = { port: this.port, requests: [hold], count: FEW * 3 };
    const { statuses } = await this.#bench.generator.run(load);
    mustBe('holdfast, selling out', statuses, { 201: FEW, 409: FEW * 2 });
  }
}
