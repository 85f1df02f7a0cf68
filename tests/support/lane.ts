import type { Redis } from 'ioredis';
import { newCall, newReservationId } from '../../src/domain/ids.ts';
import type { Money, PaymentStatus } from '../../src/domain/outcomes.ts';
import type { ProductRules } from '../../src/domain/product.ts';
import type { Item } from '../../src/domain/reservation.ts';
import { adjustStockScript } from '../../src/redis/bindings/adjust-stock.ts';
import type { Facts } from '../../src/redis/bindings/common.ts';
import { expireScript } from '../../src/redis/bindings/expire.ts';
import { extendScript } from '../../src/redis/bindings/extend.ts';
import { type HoldCommand, type HoldReply, holdScript } from '../../src/redis/bindings/hold.ts';
import { openLaneScript } from '../../src/redis/bindings/open-lane.ts';
import { type OrderCommand, type OrderReply, orderScript } from '../../src/redis/bindings/order.ts';
import { putProductScript } from '../../src/redis/bindings/put-product.ts';
import { releaseScript } from '../../src/redis/bindings/release.ts';
import { settleScript } from '../../src/redis/bindings/settle.ts';
import { startRebuildScript } from '../../src/redis/bindings/start-rebuild.ts';
import { laneKey } from '../../src/redis/keys.ts';
import { redisTimeAfter, runIdOf } from './redis.ts';

export const HOUR_MS = 3_600_000;
/** Long enough for an order to be made of a hold, short enough to wait for. */
export const SHORT_TTL_MS = 30;
const BATCH_MAX = 128;

export const RULES: ProductRules = {
  name: 'Sneaker',
  priceMinor: 12_900,
  currency: 'USD',
  status: 'active',
  startsAtMs: null,
  endsAtMs: null,
  holdTtlMs: HOUR_MS,
  payTtlMs: HOUR_MS,
  extendMs: 0,
  maxPerHold: null,
  maxPerBuyer: null,
};

let lanesOpened = 0;
let productsMade = 0;

/** An open lane of its own for one test, with short words for each script. */
export class TestLane {
  readonly redis: Redis;
  readonly lane = lanesOpened++ % 4096;
  readonly key = laneKey(this.lane);
  readonly epoch: number;
  readonly run: string;

  constructor(redis: Redis, run: string, epoch: number) {
    this.redis = redis;
    this.run = run;
    this.epoch = epoch;
  }

  /** What a caller up to date sends; give `overrides` to be out of date. */
  gate() {
    const lateMs = Date.now() + HOUR_MS;
    return { epoch: this.epoch, run: this.run, call: newCall(), lateMs };
  }

  /** Makes a product and returns its id. */
  async product(stock: number, rules: Partial<ProductRules> = {}): Promise<number> {
    productsMade += 1;
    const reply = await this.putProduct(productsMade, stock, rules);
    if (reply.status !== 'created') throw new Error(`the product was not made: ${reply.status}`);
    return productsMade;
  }

  putProduct(
    productId: number,
    initialStock: number | null,
    rules: Partial<ProductRules> = {},
    rulesVersion = 1,
  ) {
    return putProductScript.run(this.redis, this.key, {
      ...this.gate(),
      productId,
      rulesVersion,
      initialStock,
      rules: { ...RULES, ...rules },
    });
  }

  /** One request of a batch, for `hold`. */
  request(items: Item[], more: Partial<HoldCommand> = {}): HoldCommand {
    const lateMs = Date.now() + HOUR_MS;
    const id = newReservationId(this.lane);
    return { lateMs, id, items, buyer: '', key: '', fingerprint: '', ...more };
  }

  async holdBatch(requests: HoldCommand[]): Promise<HoldReply[]> {
    const batch = { ...this.gate(), idempotencyTtlMs: HOUR_MS, requests };
    const reply = await holdScript.run(this.redis, this.key, batch);
    if (reply.status !== 'batch') throw new Error(`the batch was refused: ${reply.status}`);
    return reply.replies;
  }

  /** Asks for units of one product, or for several items. */
  async hold(
    what: number | Item[],
    more: Partial<HoldCommand> & { qty?: number } = {},
  ): Promise<HoldReply> {
    const { qty = 1, ...command } = more;
    const items = typeof what === 'number' ? [{ productId: what, qty }] : what;
    const [reply] = await this.holdBatch([this.request(items, command)]);
    if (!reply) throw new Error('no reply');
    return reply;
  }

  /** A hold that must be granted; its id and deadline. */
  async held(what: number | Item[], more: Partial<HoldCommand> & { qty?: number } = {}) {
    const id = newReservationId(this.lane);
    const reply = await this.hold(what, { id, ...more });
    if (reply.status !== 'held') throw new Error(`the hold was refused: ${reply.status}`);
    return { id, deadlineMs: reply.deadlineMs };
  }

  /** `count` holds of one unit, in batches; returns once all of them are overdue. */
  async overdueHolds(productId: number, count: number): Promise<void> {
    let lastDeadlineMs = 0;
    for (let made = 0; made < count; made += BATCH_MAX) {
      const length = Math.min(BATCH_MAX, count - made);
      const requests = Array.from({ length }, () => this.request([{ productId, qty: 1 }]));
      for (const reply of await this.holdBatch(requests)) {
        if (reply.status !== 'held') throw new Error(`a hold was refused: ${reply.status}`);
        lastDeadlineMs = reply.deadlineMs;
      }
    }
    await redisTimeAfter(this.redis, lastDeadlineMs);
  }

  /** An order that awaits its payment; its id and deadline. */
  async ordered(what: number | Item[], more: Partial<HoldCommand> & { qty?: number } = {}) {
    const { id } = await this.held(what, more);
    const reply = await this.order(id);
    if (reply.status !== 'ordered') throw new Error(`the order was refused: ${reply.status}`);
    return { id, payByMs: reply.payByMs };
  }

  /** One batch of orders, answered one by one. */
  async orderBatch(requests: Partial<OrderCommand>[]): Promise<OrderReply[]> {
    const { lateMs, ...gate } = this.gate();
    const whole = requests.map((request) => ({ lateMs, id: '', key: '', ...request }));
    const batch = { ...gate, idempotencyTtlMs: HOUR_MS, requests: whole };
    const reply = await orderScript.run(this.redis, this.key, batch);
    if (reply.status !== 'batch') throw new Error(`the batch was refused: ${reply.status}`);
    return reply.replies;
  }

  async order(id: string, more: Partial<OrderCommand> = {}): Promise<OrderReply> {
    const [reply] = await this.orderBatch([{ id, ...more }]);
    if (!reply) throw new Error('no reply');
    return reply;
  }

  extend(id: string, facts?: Facts | undefined) {
    return extendScript.run(this.redis, this.key, { ...this.gate(), id, facts });
  }

  settle(
    id: string,
    reference: string,
    payment: PaymentStatus = 'success',
    facts?: Facts | undefined,
    more: { money?: Money; due?: string; returnsUnits?: boolean } = {},
  ) {
    const command = { ...this.gate(), id, reference, payment, facts, ...more };
    return settleScript.run(this.redis, this.key, command);
  }

  release(id: string, from: 'held' | 'pending' = 'held', facts?: Facts | undefined) {
    return releaseScript.run(this.redis, this.key, { ...this.gate(), id, from, facts });
  }

  expire() {
    return expireScript.run(this.redis, this.key, this.gate());
  }

  adjust(productId: number, delta: number, key: string) {
    const command = { ...this.gate(), productId, delta, key, ttlMs: HOUR_MS };
    return adjustStockScript.run(this.redis, this.key, command);
  }
}

/** Opens a lane that no other test uses. `cap` is the largest backlog that still grants holds. */
export async function openTestLane(
  redis: Redis,
  { cap = 100_000, epoch = 1 }: { cap?: number; epoch?: number } = {},
): Promise<TestLane> {
  const run = await runIdOf(redis);
  const lane = new TestLane(redis, run, epoch);
  await startRebuildScript.run(redis, lane.key, { epoch, run, shop: 'a test' });
  const expected = { expectedState: 'rebuilding', expectedRun: run, expectedTail: 'start' };
  const { status } = await openLaneScript.run(redis, lane.key, { epoch, run, ...expected, cap });
  if (status !== 'opened') throw new Error(`lane ${lane.lane} was not opened: ${status}`);
  return lane;
}
