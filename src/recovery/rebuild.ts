import { type Database, query } from '../db/client.ts';
import { DEAD_LETTERS_MAX, readQuarantined } from '../db/dead-letters.ts';
import {
  countBuyers,
  type FirstEffects,
  listAdjustmentsSince,
  listLiveHolds,
  listOrdersSince,
  listPendingOrders,
  listStockedProducts,
} from '../db/live.ts';
import { beginRebuild, finishRebuild } from '../db/rebuild.ts';
import type { RebuildFinding } from '../db/schema.ts';
import { listOpenLetters } from '../db/stored-letters.ts';
import { Deadline, within } from '../domain/deadline.ts';
import type { ProductRules } from '../domain/product.ts';
import type { Logger } from '../log.ts';
import { type LanePart, loadLaneScript } from '../redis/bindings/load-lane.ts';
import { openLaneScript } from '../redis/bindings/open-lane.ts';
import { startRebuildScript } from '../redis/bindings/start-rebuild.ts';
import { wipeLaneScript } from '../redis/bindings/wipe-lane.ts';
import { CATALOG_KEY, laneKey, laneKeysPattern } from '../redis/keys.ts';
import type { LaneLink } from '../redis/link.ts';
import { adjustmentOf, effectsOf, effectsOfLetter, remembered } from './first-effects.ts';

const PAGE = 1_000;
/** More than a lane that sells can have. */
const LETTERS_MAX = 2 * DEAD_LETTERS_MAX;
const REDIS_LIMIT_MS = 2_000;
/** A page can stand behind many rows of other states. */
const MYSQL_LIMIT_MS = 60_000;

export interface RebuildOptions {
  link: LaneLink;
  database: Database;
  /** Largest backlog, in transitions, at which a lane still grants holds. */
  outboxMax: number;
  idempotencyTtlMs: number;
  log: Logger;
}

/** What came of a rebuild. */
export interface Rebuilt {
  lane: number;
  epoch: number;
  products: number;
  holds: number;
  orders: number;
  findings: RebuildFinding[];
  tookMs: number;
}

/** Somebody else builds the lane, or Redis was started again: this rebuild may not go on. */
export class RebuildLost extends Error {
  override readonly name = 'RebuildLost';
}

/** One rebuild: each step may only be taken while the lane is still this rebuild's. */
class Rebuild {
  readonly #options: RebuildOptions;
  readonly #lane: number;
  readonly #fence: { epoch: number; run: string };

  constructor(options: RebuildOptions, lane: number, epoch: number) {
    this.#options = options;
    this.#lane = lane;
    this.#fence = { epoch, run: options.link.run() };
  }

  async start(shop: string): Promise<void> {
    const command = { ...this.#fence, shop };
    await this.#step('started', (redis, key) => startRebuildScript.run(redis, key, command));
    await this.#wipe();
  }

  async load(part: LanePart): Promise<void> {
    const command = { ...this.#fence, ...part };
    await this.#step('loaded', (redis, key) => loadLaneScript.run(redis, key, command));
  }

  async open(): Promise<void> {
    const { epoch, run } = this.#fence;
    const expected = { expectedState: 'rebuilding', expectedRun: run, expectedTail: 'start' };
    const command = { epoch, run, ...expected, cap: this.#options.outboxMax };
    await this.#step('opened', (redis, key) => openLaneScript.run(redis, key, command));
  }

  async #wipe(): Promise<void> {
    const { redis } = this.#options.link;
    const prefix = laneKey(this.#lane).slice(0, -'lane'.length);
    let cursor = '0';
    do {
      const scanning = redis.scan(cursor, 'MATCH', laneKeysPattern(this.#lane), 'COUNT', PAGE);
      const [next, keys] = await within(new Deadline(REDIS_LIMIT_MS), 'Redis (scan)', scanning);
      cursor = next;
      const suffixes = keys.map((key) => key.slice(prefix.length));
      if (suffixes.length === 0) continue;
      const command = { ...this.#fence, suffixes };
      await this.#step('wiped', (_, key) => wipeLaneScript.run(redis, key, command));
    } while (cursor !== '0');
  }

  async #step<Status extends string>(
    done: Status,
    send: (
      redis: LaneLink['redis'],
      key: string,
    ) => Promise<{ status: Status | 'stale' | 'changed'; nowMs: number }>,
  ): Promise<void> {
    const { link } = this.#options;
    const sending = send(link.redis, laneKey(this.#lane));
    const reply = await within(new Deadline(REDIS_LIMIT_MS), 'Redis (rebuild)', sending);
    link.observe(reply.nowMs);
    if (reply.status === done) return;
    throw new RebuildLost(
      `lane ${this.#lane}: the rebuild of epoch ${this.#fence.epoch} was overtaken by another one, or` +
        ' by a restart of Redis',
    );
  }
}

async function eachPage<T extends { id: string }>(
  read: (after: string) => Promise<T[]>,
  load: (rows: T[]) => Promise<void>,
): Promise<number> {
  const readPage = (after: string) => {
    const page = query(new Deadline(MYSQL_LIMIT_MS), 'rows', read(after));
    page.catch(() => {}); // Nobody waits for it any more where a load has failed.
    return page;
  };
  let count = 0;
  let page: Promise<T[]> | undefined = readPage('');
  while (page) {
    const rows: T[] = await page;
    const last: T | undefined = rows.at(-1);
    page = last && rows.length === PAGE ? readPage(last.id) : undefined;
    if (last) await load(rows);
    count += rows.length;
  }
  return count;
}

/** Stands in for a product whose row is gone: its units can still come back or be paid. */
const NO_RULES: ProductRules = {
  name: 'unknown',
  priceMinor: 0,
  currency: 'XXX',
  status: 'paused',
  startsAtMs: null,
  endsAtMs: null,
  holdTtlMs: 120_000,
  payTtlMs: 900_000,
  extendMs: 0,
  maxPerHold: null,
  maxPerBuyer: null,
};

async function loadProducts(rebuild: Rebuild, options: RebuildOptions, lane: number) {
  const { database, link, log } = options;
  const listing = listStockedProducts(database, lane);
  const stocked = await query(new Deadline(MYSQL_LIMIT_MS), 'products', listing);
  for (let first = 0; first < stocked.length; first += PAGE) {
    const page = stocked.slice(first, first + PAGE);
    const products = page.map(({ id, product, counters }) => {
      if (!product) log.error({ lane, product: id }, 'a product has stock, but no row in products');
      const { rulesVersion, rules } = product ?? { rulesVersion: 0, rules: NO_RULES };
      return { id, rulesVersion, rules, counters };
    });
    await rebuild.load({ products });
    const lanes = products.flatMap(({ id }) => [String(id), String(lane)]);
    const telling = link.redis.hset(CATALOG_KEY, ...lanes);
    await within(new Deadline(REDIS_LIMIT_MS), 'Redis (catalog)', telling);
  }
  return stocked.length;
}

async function loadLive(rebuild: Rebuild, options: RebuildOptions, lane: number) {
  const { database, link, idempotencyTtlMs } = options;
  const aliveMs = idempotencyTtlMs - link.nowMs();
  const since = new Date(-aliveMs);
  const keysOf = (effects: FirstEffects[]) => remembered(effects.flatMap(effectsOf), aliveMs);
  // Rows of a reservation with a dead letter are behind: they come back once that is replayed.
  const reading = readQuarantined(database.pool, lane);
  const waiting = await query(new Deadline(MYSQL_LIMIT_MS), 'dead letters', reading);
  const isLoaded = ({ id }: { id: string }) => !waiting.has(id);
  const holds = await eachPage(
    (after) => listLiveHolds(database, lane, after, PAGE),
    (rows) => {
      const keys = keysOf(rows.map(({ first }) => first));
      return rebuild.load({ reservations: rows.filter(isLoaded), keys });
    },
  );
  const orders = await eachPage(
    (after) => listPendingOrders(database, lane, after, PAGE),
    (rows) => rebuild.load({ reservations: rows.filter(isLoaded) }),
  );
  const listOrders = listOrdersSince(since);
  await eachPage(
    (after) => listOrders(database, lane, after, PAGE),
    (effects) => rebuild.load({ keys: keysOf(effects) }),
  );
  const listAdjustments = listAdjustmentsSince(since);
  await eachPage(
    (after) => listAdjustments(database, lane, after, PAGE),
    (made) => rebuild.load({ keys: remembered(made.map(adjustmentOf), aliveMs) }),
  );
  const first = { lane, epoch: -1, sequence: -1, ordinal: -1 };
  const readingLetters = listOpenLetters(database, first, LETTERS_MAX);
  const letters = await query(new Deadline(MYSQL_LIMIT_MS), 'dead letters', readingLetters);
  const own = letters.filter(({ id }) => id.lane === lane);
  await rebuild.load({ keys: remembered(own.flatMap(effectsOfLetter), aliveMs) });
  const counting = countBuyers(database, lane);
  const buyers = await query(new Deadline(MYSQL_LIMIT_MS), 'buyers', counting);
  for (let first = 0; first < buyers.length; first += PAGE) {
    await rebuild.load({ buyers: buyers.slice(first, first + PAGE) });
  }
  return { holds, orders };
}

/**
 * Builds a lane from MySQL under a new epoch and opens it. Whatever was in Redis is dropped: holds
 * that were not persisted are lost, acknowledged orders and payments are not. Throws
 * `OrdersExceedTotal` before anything is touched, `RebuildLost` when another rebuild has overtaken
 * this one; the lane serves nobody until one of them is through.
 */
export async function rebuildLane(
  options: RebuildOptions,
  lane: number,
  epochInRedis: number,
  reason: string,
): Promise<Rebuilt> {
  const { database, link, log } = options;
  const startedAt = performance.now();
  const { epoch, shop, findings } = await beginRebuild(database, lane, epochInRedis, reason);
  for (const finding of findings) log.error({ lane, epoch, ...finding }, 'finding of a rebuild');
  const rebuild = new Rebuild(options, lane, epoch);
  await rebuild.start(shop);
  const products = await loadProducts(rebuild, options, lane);
  const live = await loadLive(rebuild, options, lane);
  await rebuild.open();
  const finishing = finishRebuild(database, lane, epoch, live);
  await query(new Deadline(MYSQL_LIMIT_MS), 'rebuild', finishing);
  await link.refresh(lane);
  const tookMs = Math.round(performance.now() - startedAt);
  return { lane, epoch, products, ...live, findings, tookMs };
}
