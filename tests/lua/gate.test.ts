import { describe, expect, test } from 'vitest';
import { adjustStockScript } from '../../src/redis/bindings/adjust-stock.ts';
import { expireScript } from '../../src/redis/bindings/expire.ts';
import { extendScript } from '../../src/redis/bindings/extend.ts';
import { holdScript } from '../../src/redis/bindings/hold.ts';
import { orderScript } from '../../src/redis/bindings/order.ts';
import { putProductScript } from '../../src/redis/bindings/put-product.ts';
import { releaseScript } from '../../src/redis/bindings/release.ts';
import { settleScript } from '../../src/redis/bindings/settle.ts';
import { HOUR_MS, openTestLane, RULES, SHORT_TTL_MS, type TestLane } from '../support/lane.ts';
import { dumpOf, redisNowMs, redisTimeAfter, useRedis } from '../support/redis.ts';

// Who may write at all. The same gate stands before every script that writes.
const redis = useRedis();

type Caller = ReturnType<TestLane['gate']>;
interface Scene {
  lane: TestLane;
  product: number;
  held: string;
  pending: string;
}

/** Each script, on a call that would write if the gate let it. */
const CALLS: Record<string, (scene: Scene, gate: Caller) => Promise<{ status: string }>> = {
  hold: ({ lane, product }, gate) => {
    const requests = [lane.request([{ productId: product, qty: 1 }])];
    return holdScript.run(redis, lane.key, { ...gate, idempotencyTtlMs: HOUR_MS, requests });
  },
  order: ({ lane, held: id }, gate) =>
    orderScript.run(redis, lane.key, {
      ...gate,
      idempotencyTtlMs: HOUR_MS,
      requests: [{ lateMs: gate.lateMs, id, key: '' }],
    }),
  extend: ({ lane, held: id }, gate) => extendScript.run(redis, lane.key, { ...gate, id }),
  release: ({ lane, held: id }, gate) =>
    releaseScript.run(redis, lane.key, { ...gate, id, from: 'held' }),
  settle: ({ lane, pending: id }, gate) =>
    settleScript.run(redis, lane.key, { ...gate, id, reference: 'r', payment: 'success' }),
  expire: ({ lane }, gate) => expireScript.run(redis, lane.key, gate),
  adjust_stock: ({ lane, product: productId }, gate) =>
    adjustStockScript.run(redis, lane.key, { ...gate, productId, delta: 1, key: 'k', ttlMs: 1e6 }),
  put_product: ({ lane, product: productId }, gate) => {
    const command = { ...gate, productId, rulesVersion: 2, initialStock: null, rules: RULES };
    return putProductScript.run(redis, lane.key, command);
  },
};

/** A lane in which there is something to do for every script. */
async function scene(): Promise<Scene> {
  const lane = await openTestLane(redis);
  const product = await lane.product(9, { extendMs: HOUR_MS });
  const [held, pending] = [await lane.held(product), await lane.ordered(product)];
  const short = await lane.product(9, { holdTtlMs: SHORT_TTL_MS });
  const { id, deadlineMs } = await lane.held(short);
  await redisTimeAfter(redis, deadlineMs);
  // The server forgets the record at its own leisure: not in the middle of a comparison.
  await redis.get(`hf:{${lane.lane}}:res:${id}`);
  return { lane, product, held: held.id, pending: pending.id };
}

describe.each(Object.entries(CALLS))('%s', (_, run) => {
  test('writes when lane, epoch, run and deadline are right', async () => {
    const set = await scene();
    const written = await dumpOf(redis, set.lane.lane);
    const { status } = await run(set, set.lane.gate());
    expect(['closed', 'stale', 'late']).not.toContain(status);
    expect(await dumpOf(redis, set.lane.lane)).not.toEqual(written);
  });

  test('is refused by a lane that is closed, rebuilding or absent', async () => {
    const set = await scene();
    for (const state of ['closed', 'rebuilding']) {
      await redis.hset(set.lane.key, 'state', state);
      const written = await dumpOf(redis, set.lane.lane);
      expect((await run(set, set.lane.gate())).status).toBe('closed');
      expect(await dumpOf(redis, set.lane.lane)).toEqual(written);
    }
    await redis.del(set.lane.key);
    const written = await dumpOf(redis, set.lane.lane);
    expect((await run(set, set.lane.gate())).status).toBe('closed');
    expect(await dumpOf(redis, set.lane.lane)).toEqual(written);
  });

  test('is stale with another epoch or another run', async () => {
    const set = await scene();
    const written = await dumpOf(redis, set.lane.lane);
    const gate = set.lane.gate();
    expect((await run(set, { ...gate, epoch: 2 })).status).toBe('stale');
    expect((await run(set, { ...gate, run: 'another' })).status).toBe('stale');
    expect(await dumpOf(redis, set.lane.lane)).toEqual(written);
  });
});

// `hold` and `order` are late for each request of a batch (their own tests); nobody waits for `expire`.
const CALLS_WITH_DEADLINE = Object.entries(CALLS).filter(
  ([name]) => !['hold', 'order', 'expire'].includes(name),
);

test.each(CALLS_WITH_DEADLINE)('%s is late past its own deadline', async (_, run) => {
  const set = await scene();
  const written = await dumpOf(redis, set.lane.lane);
  const lateMs = (await redisNowMs(redis)) - 1;
  expect((await run(set, { ...set.lane.gate(), lateMs })).status).toBe('late');
  expect(await dumpOf(redis, set.lane.lane)).toEqual(written);
});

test('every reply carries the server’s clock', async () => {
  const set = await scene();
  const startedAtMs = await redisNowMs(redis);
  for (const run of Object.values(CALLS)) {
    const reply = (await run(set, set.lane.gate())) as { nowMs?: number };
    expect(reply.nowMs).toBeGreaterThanOrEqual(startedAtMs);
    expect(reply.nowMs).toBeLessThanOrEqual(await redisNowMs(redis));
  }
});
