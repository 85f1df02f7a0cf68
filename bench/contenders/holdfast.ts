import { setTimeout as sleep } from 'node:timers/promises';
import type { RowDataPacket } from 'mysql2/promise';
import { migrateDatabase } from '../../src/db/migrate.ts';
import { laneKey, productKey } from '../../src/redis/keys.ts';
import { ADMIN_TOKEN, type ApiSettings, OWN_CHECKOUT } from '../api/settings.ts';
import type { Child } from '../ipc.ts';
import { getRequest, postRequest } from '../load/generator.ts';
import type { Stores } from '../servers.ts';
import {
  AuditFailed,
  type Bench,
  type Contender,
  type Contestant,
  mustBe,
  type Question,
  type Task,
} from './contender.ts';
import { keyedHolds, ordersOf, repeated } from './sending.ts';
import { startApi } from './start.ts';

const ALL_ROLES = 'api,writer,expiry,reconciler';
const ROLES_BUT_API = 'writer,expiry,reconciler';
/** Holds and orders outlive the run: what expires is another case. */
const TTL_SECONDS = 3_600;
/** Of a product that counts the units of each buyer. */
const PER_BUYER_MAX = 4;
const SETTLE_POLL_MS = 5;
const SETTLE_MS_MAX = 120_000;
const PLENTY = 1_000_000_000;
const FEW = 100;
const LANE = 0;

/** How a Holdfast is started. */
export interface Setup {
  roles: 'together' | 'apart';
  checkout?: string;
  /** Most holds in one script call; as it chooses itself where left out. */
  holdBatchMax?: number;
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
  readonly writer: Child | undefined;
  readonly #bench: Bench;

  constructor(bench: Bench, stores: Stores, api: Child, port: number, writer: Child | undefined) {
    this.#bench = bench;
    this.stores = stores;
    this.api = api;
    this.port = port;
    this.writer = writer;
  }

  static async open(
    bench: Bench,
    { roles, checkout = OWN_CHECKOUT, holdBatchMax }: Setup,
  ): Promise<Holdfast> {
    const stores = await bench.servers.stores();
    await migrateDatabase(stores.mysqlUrl);
    const { redisUrl, mysqlUrl } = stores;
    const start = (ownRoles: string) => {
      const settings: ApiSettings = {
        ...{ kind: 'holdfast', redisUrl, mysqlUrl, checkout, holdBatchMax },
        roles: ownRoles,
      };
      return startApi(settings);
    };
    const writer = roles === 'apart' ? (await start(ROLES_BUT_API)).api : undefined;
    const { api, port } = await start(roles === 'apart' ? 'api' : ALL_ROLES);
    return new Holdfast(bench, stores, api, port, writer);
  }

  async createProduct(totalStock: number, rules: Rules = {}): Promise<number> {
    const answer = await fetch(`http://127.0.0.1:${this.port}/api/admin/products`, {
      method: 'POST',
      headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' },
      body: JSON.stringify({
        name: 'Aurora desk lamp',
        price: '129.00',
        currency: 'USD',
        total_stock: totalStock,
        hold_ttl_seconds: TTL_SECONDS,
        pay_ttl_seconds: TTL_SECONDS,
        ...rules,
      }),
    });
    const product = (await answer.json()) as { id: number };
    if (answer.status !== 201) throw new Error(`no product: ${JSON.stringify(product)}`);
    return product.id;
  }

  async prepare(question: Question): Promise<Task> {
    const stock = question === 'sold-out' ? FEW : PLENTY;
    const rules = question === 'keyed' ? { max_per_buyer: PER_BUYER_MAX } : {};
    const id = await this.createProduct(stock, rules);
    const hold = postRequest('/api/holds', { product_id: id, qty: 1 });
    const settle = () => this.settle();
    const audit = (accepted: number) => this.audit(id, stock, accepted);
    switch (question) {
      case 'hold':
        return { sending: repeated(hold), status: 201, settle, audit };
      case 'keyed':
        return { sending: keyedHolds(id), status: 201, settle, audit };
      case 'order':
        return this.#ordering(id, hold);
      case 'sold-out':
        await this.#sellOut(hold);
        return { sending: repeated(hold), status: 409, settle, audit: () => audit(FEW) };
      case 'read': {
        const read = getRequest(`/api/products/${id}`);
        return { sending: repeated(read), status: 200, settle, audit: () => audit(0) };
      }
    }
  }

  /** Makes holds as fast as they go, and resolves once MySQL has them. */
  async holdMany(hold: string, count: number): Promise<void> {
    const load = { port: this.port, requests: [hold], count };
    mustBe('holdfast, holding', (await this.#bench.generator.run(load)).statuses, { 201: count });
    await this.settle();
  }

  /** Resolves once MySQL has everything that Redis has. */
  async settle(): Promise<void> {
    const giveUpAt = performance.now() + SETTLE_MS_MAX;
    for (;;) {
      const [emitted, persisted] = await this.stores.redis.hmget(
        laneKey(LANE),
        'emitted',
        'persisted',
      );
      if (emitted === persisted) return;
      if (performance.now() > giveUpAt) {
        throw new AuditFailed(`holdfast: persisted ${persisted} of ${emitted} transitions`);
      }
      await sleep(SETTLE_POLL_MS);
    }
  }

  /**
   * Holds of a product, and the orders that some of them became, are as many in both stores as the
   * answers that granted them.
   */
  async audit(productId: number, stock: number, accepted: number, orders = 0): Promise<void> {
    const held = accepted - orders;
    const counters = { total: stock, available: stock - accepted, held, pending: orders };
    const inRedis = await this.stores.redis.hgetall(productKey(LANE, productId));
    mustBe('holdfast, in Redis', inRedis, counters);
    const one = async (sql: string) =>
      (await this.stores.mysql.query<RowDataPacket[]>(sql, [productId]))[0][0] ?? {};
    const inMysql = await one(
      'SELECT total, available, held, pending FROM stock WHERE product_id = ?',
    );
    mustBe('holdfast, in MySQL', inMysql, counters);
    const rows = await one(
      'SELECT COUNT(*) AS persisted, COALESCE(SUM(qty), 0) AS units,' +
        " COALESCE(SUM(state = 'held'), 0) AS held," +
        " (SELECT COUNT(*) FROM orders WHERE state = 'pending') AS orders" +
        ' FROM hold_items JOIN holds ON id = hold_id WHERE product_id = ?',
    );
    mustBe('holdfast, in MySQL', rows, { persisted: accepted, units: accepted, held, orders });
    if (accepted > stock) throw new AuditFailed(`holdfast: oversold by ${accepted - stock}`);
  }

  async close(): Promise<void> {
    await this.api.stop();
    await this.writer?.stop();
    await this.stores.close();
  }

  async #heldIds(productId: number): Promise<string[]> {
    const [rows] = await this.stores.mysql.query<RowDataPacket[]>(
      'SELECT id FROM hold_items JOIN holds ON id = hold_id' +
        " WHERE product_id = ? AND state = 'held'",
      [productId],
    );
    return rows.map(({ id }) => String(id));
  }

  #ordering(productId: number, hold: string): Task {
    let held = 0;
    const sending = ordersOf({
      ids: () => this.#heldIds(productId),
      hold: async (count) => {
        await this.holdMany(hold, count);
        held += count;
      },
    });
    const audit = (orders: number) => this.audit(productId, PLENTY, held, orders);
    return { sending, status: 201, settle: () => this.settle(), audit };
  }

  // More buyers than units: the grants are counted, and whoever comes later is refused.
  async #sellOut(hold: string): Promise<void> {
    const load = { port: this.port, requests: [hold], count: FEW * 3 };
    const { statuses } = await this.#bench.generator.run(load);
    mustBe('holdfast, selling out', statuses, { 201: FEW, 409: FEW * 2 });
  }
}

const contender = (name: string, what: string, setup: Setup): Contender => ({
  name,
  what,
  open: (bench) => Holdfast.open(bench, setup),
  inCheckout: (checkout) => ({
    name: `${name} of the other`,
    what: 'the same, compiled in the other checkout',
    open: (bench) => Holdfast.open(bench, { ...setup, checkout }),
  }),
});

/** Everything in one process, as `npm start` runs it. */
export const holdfast = contender('Holdfast', 'all roles in one process, as `npm start` runs it', {
  roles: 'together',
});

/** The same, with the writer, expiry and the reconciler in a process of their own. */
export const holdfastApart = contender(
  'Holdfast (writer apart)',
  'the API in one process, the other roles in a second one',
  { roles: 'apart' },
);

/** Holdfast without its coalescing. */
export const oneCallEach = contender('one call each', 'Holdfast with a script call for each hold', {
  roles: 'together',
  holdBatchMax: 1,
});
