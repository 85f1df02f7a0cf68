import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { compose } from '../../src/compose.ts';
import { readConfig } from '../../src/config.ts';
import { migrateDatabase } from '../../src/db/migrate.ts';
import { Deadline } from '../../src/domain/deadline.ts';
import { newReservationId } from '../../src/domain/ids.ts';
import { expireScript } from '../../src/redis/bindings/expire.ts';
import { holdScript } from '../../src/redis/bindings/hold.ts';
import { orderScript } from '../../src/redis/bindings/order.ts';
import { settleScript } from '../../src/redis/bindings/settle.ts';
import { hotClient } from '../../src/redis/client.ts';
import { laneKey } from '../../src/redis/keys.ts';
import { LaneLink } from '../../src/redis/link.ts';
import type { Stores } from '../servers.ts';

const LANE = 0;
const LIMIT_MS = 10_000;
const HOUR_MS = 3_600_000;
/** Of holds that expire while the journal is being written. */
const SHORT_TTL_MS = 20;
/** Holds in one entry: requests that an event-loop turn of the API brings together. */
const BATCH = 20;

/** How many of a wave's holds are ordered and paid; as many others expire. */
const WAVE = 1_000;

const newProduct = (holdTtlMs: number) => ({
  ...{ name: 'Aurora desk lamp', priceMinor: 12_900, currency: 'USD', totalStock: 1_000_000_000 },
  ...{ startsAtMs: null, endsAtMs: null, maxPerHold: null, maxPerBuyer: null },
  ...{ holdTtlMs, payTtlMs: HOUR_MS, extendMs: 0, lane: LANE },
});

// Two products, one of them of short holds, with everything committed and nobody at work any more.
async function makeProducts({ redisUrl, mysqlUrl }: Stores): Promise<[number, number]> {
  await migrateDatabase(mysqlUrl);
  const config = { ...readConfig({}), roles: ['writer'] as const };
  const log = pino({ level: 'silent' });
  const { engine, close } = await compose({ config, redisUrl, mysqlUrl, log });
  try {
    const lasting = await engine.admin.create(newProduct(HOUR_MS), new Deadline(LIMIT_MS));
    const short = await engine.admin.create(newProduct(SHORT_TTL_MS), new Deadline(LIMIT_MS));
    return [lasting.id, short.id];
  } finally {
    await close();
  }
}

function must<R extends { status: string }, S extends R['status']>(reply: R, status: S): void {
  if (reply.status !== status) throw new Error(`a script said ${reply.status}, not ${status}`);
}

/** The scripts of the sale, as the engine calls them but without waiting for MySQL. */
class Seller {
  readonly #link: LaneLink;

  constructor(link: LaneLink) {
    this.#link = link;
  }

  #gate() {
    return { ...this.#link.gate(LANE), lateMs: this.#link.lateMs(new Deadline(LIMIT_MS)) };
  }

  async hold(productId: number, buyer: string): Promise<string[]> {
    const { lateMs, ...gate } = this.#gate();
    const items = [{ productId, qty: 1 }];
    const ids = Array.from({ length: BATCH }, () => newReservationId(LANE));
    const keys = { key: '', fingerprint: '' };
    const requests = ids.map((id) => ({ id, lateMs, items, buyer, ...keys }));
    const batch = { ...gate, idempotencyTtlMs: HOUR_MS, requests };
    const reply = await holdScript.run(this.#link.redis, laneKey(LANE), batch);
    if (reply.status !== 'batch') throw new Error(`hold said ${reply.status}`);
    for (const each of reply.replies) must(each, 'held');
    return ids;
  }

  async order(id: string): Promise<void> {
    const { lateMs, ...gate } = this.#gate();
    const batch = { ...gate, idempotencyTtlMs: HOUR_MS, requests: [{ lateMs, id, key: '' }] };
    const reply = await orderScript.run(this.#link.redis, laneKey(LANE), batch);
    if (reply.status !== 'batch') throw new Error(`order said ${reply.status}`);
    for (const each of reply.replies) must(each, 'ordered');
  }

  async pay(id: string): Promise<void> {
    const command = { ...this.#gate(), id, reference: `pay-${id}`, payment: 'success' as const };
    must(await settleScript.run(this.#link.redis, laneKey(LANE), command), 'applied');
  }

  async expire(): Promise<number> {
    const reply = await expireScript.run(this.#link.redis, laneKey(LANE), this.#gate());
    if (reply.status !== 'expired') throw new Error(`expire said ${reply.status}`);
    return reply.count;
  }
}

async function holdAll(seller: Seller, productId: number): Promise<string[]> {
  const ids: string[] = [];
  while (ids.length < WAVE) ids.push(...(await seller.hold(productId, `buyer-${ids.length}`)));
  return ids;
}

// A hold and its order are far enough apart in the journal to be of different transactions, as they
// are in a sale.
async function sellWave(seller: Seller, lasting: number, short: number): Promise<number> {
  const bought = await holdAll(seller, lasting);
  const abandoned = await holdAll(seller, short);
  await Promise.all(bought.map((id) => seller.order(id)));
  await Promise.all(bought.map((id) => seller.pay(id)));
  await sleep(SHORT_TTL_MS * 2);
  for (let left = abandoned.length; left > 0; ) left -= await seller.expire();
  return bought.length;
}

/** What a journal tells of: as many holds were ordered and paid as expired. */
export interface WrittenJournal {
  holds: number;
  orders: number;
  /** Of reservations. */
  transitions: number;
}

/** Leaves a sale in the journal of an empty lane; MySQL has its products only. */
export async function writeJournal(stores: Stores, waves: number): Promise<WrittenJournal> {
  const [lasting, short] = await makeProducts(stores);
  const redis = hotClient(stores.redisUrl);
  try {
    const link = new LaneLink(redis);
    await link.connect();
    await link.refresh(LANE);
    let orders = 0;
    for (let wave = 0; wave < waves; wave += 1) {
      orders += await sellWave(new Seller(link), lasting, short);
    }
    return { holds: 2 * orders, orders, transitions: 5 * orders };
  } finally {
    redis.disconnect();
  }
}
