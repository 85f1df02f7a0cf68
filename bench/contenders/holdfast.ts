import { setTimeout as sleep } from 'node:timers/promises';
import type { RowDataPacket } from 'mysql2/promise';
import { migrateDatabase } from '../../src/db/migrate.ts';
import { laneKey, productKey } from '../../src/redis/keys.ts';
import { ADMIN_TOKEN, OWN_CHECKOUT } from '../api/settings.ts';
import { Child } from '../ipc.ts';
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

const apiProcess = new URL('../api/process.ts', import.meta.url);
const ALL_ROLES = 'api,writer,expiry,reconciler';
const ROLES_BUT_API = 'writer,expiry,reconciler';
/** Holds outlive the run: what expires is another case. */
const HOLD_TTL_SECONDS = 3_600;
const SETTLE_POLL_MS = 5;
const SETTLE_MS_MAX = 120_000;
const PLENTY = 1_000_000_000;
const FEW = 100;
const LANE = 0;

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
    roles: 'together' | 'apart',
    checkout = OWN_CHECKOUT,
  ): Promise<Holdfast> {
    const stores = await bench.servers.stores();
    await migrateDatabase(stores.mysqlUrl);
    const { redisUrl, mysqlUrl } = stores;
    const settings = { kind: 'holdfast', redisUrl, mysqlUrl, checkout };
    const writer = roles === 'apart' ? new Child(apiProcess) : undefined;
    await writer?.ask('start', { ...settings, roles: ROLES_BUT_API });
    const api = new Child(apiProcess);
    const port = await api.ask<number>('start', {
      ...settings,
      roles: roles === 'apart' ? 'api' : ALL_ROLES,
    });
    return new Holdfast(bench, stores, api, port, writer);
  }

  async createProduct(totalStock: number, holdTtlSeconds = HOLD_TTL_SECONDS): Promise<number> {
    const answer = await fetch(`http://127.0.0.1:${this.port}/api/admin/products`, {
      method: 'POST',
      headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' },
      body: JSON.stringify({
        name: 'Aurora desk lamp',
        price: '129.00',
        currency: 'USD',
        total_stock: totalStock,
        hold_ttl_seconds: holdTtlSeconds,
      }),
    });
    const product = (await answer.json()) as { id: number };
    if (answer.status !== 201) throw new Error(`no product: ${JSON.stringify(product)}`);
    return product.id;
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

  /** Holds of a product in both stores are as many as the answers that granted them. */
  async audit(productId: number, stock: number, accepted: number): Promise<void> {
    const counters = { total: stock, available: stock - accepted, held: accepted };
    const inRedis = await this.stores.redis.hgetall(productKey(LANE, productId));
    mustBe('holdfast, in Redis', inRedis, counters);
    const one = async (sql: string) =>
      (await this.stores.mysql.query<RowDataPacket[]>(sql, [productId]))[0][0] ?? {};
    const inMysql = await one('SELECT total, available, held FROM stock WHERE product_id = ?');
    mustBe('holdfast, in MySQL', inMysql, counters);
    const rows = await one(
      'SELECT COUNT(*) AS persisted, COALESCE(SUM(qty), 0) AS units FROM hold_items' +
        " JOIN holds ON id = hold_id WHERE product_id = ? AND state = 'held'",
    );
    mustBe('holdfast, in MySQL', rows, { persisted: accepted, units: accepted });
    if (accepted > stock) throw new AuditFailed(`holdfast: oversold by ${accepted - stock}`);
  }

  async close(): Promise<void> {
    await this.api.stop();
    await this.writer?.stop();
    await this.stores.close();
  }

  // More buyers than units: the grants are counted, and whoever comes later is refused.
  async #sellOut(hold: string): Promise<void> {
    const load = { port: this.port, requests: [hold], count: FEW * 3 };
    const { statuses } = await this.#bench.generator.run(load);
    mustBe('holdfast, selling out', statuses, { 201: FEW, 409: FEW * 2 });
  }
}

const contender = (name: string, what: string, roles: 'together' | 'apart'): Contender => ({
  name,
  what,
  open: (bench) => Holdfast.open(bench, roles),
  inCheckout: (checkout) => ({
    name: `${name} of the other`,
    what: 'the same, compiled in the other checkout',
    open: (bench) => Holdfast.open(bench, roles, checkout),
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
