import { expect, test } from 'vitest';
import { holdScript } from '../../src/redis/bindings/hold.ts';
import { loadLaneScript } from '../../src/redis/bindings/load-lane.ts';
import { openLaneScript } from '../../src/redis/bindings/open-lane.ts';
import { startRebuildScript } from '../../src/redis/bindings/start-rebuild.ts';
import { wipeLaneScript } from '../../src/redis/bindings/wipe-lane.ts';
import {
  adjustmentKey,
  buyersKey,
  dueKey,
  idempotencyKey,
  outboxKey,
  productKey,
  reservationKey,
} from '../../src/redis/keys.ts';
import { HOUR_MS, openTestLane, RULES, type TestLane } from '../support/lane.ts';
import { dumpOf, redisNowMs, useRedis } from '../support/redis.ts';

const redis = useRedis();

/** A lane in its rebuild's hands, and the rebuild's fence. */
async function rebuilding(): Promise<{
  lane: TestLane;
  fence: { epoch: number; run: string; shop: string };
}> {
  const lane = await openTestLane(redis);
  await lane.held(await lane.product(5), { buyer: 'ann', key: 'k' });
  const fence = { epoch: 2, run: lane.run, shop: 'this one' };
  expect((await startRebuildScript.run(redis, lane.key, fence)).status).toBe('started');
  return { lane, fence };
}

const RECORD = {
  ...{ version: 1, items: [{ productId: 77, qty: 2 }], amountMinor: 9_007_199_254_740_991 },
  ...{ currency: 'USD', buyer: 'ann', counted: true, ordered: false, reference: '' },
};

test('a rebuild drops journal and index at its start, and the other keys when told', async () => {
  const { lane, fence } = await rebuilding();
  expect(await redis.exists(outboxKey(lane.lane), dueKey(lane.lane))).toBe(0);
  const keys = await redis.keys(`hf:{${lane.lane}}:*`);
  expect(keys.length).toBeGreaterThan(3);
  const prefix = lane.key.slice(0, -'lane'.length);
  const suffixes = keys.map((key) => key.slice(prefix.length));
  await wipeLaneScript.run(redis, lane.key, { ...fence, suffixes });
  expect(await redis.keys(`hf:{${lane.lane}}:*`)).toEqual([lane.key]);
});

test('what is loaded is what the other scripts would have written', async () => {
  const { lane, fence } = await rebuilding();
  const now = await redisNowMs(redis);
  const counters = { total: 9, available: 3, held: 4, pending: 2, sold: 0 };
  const rules = { ...RULES, maxPerBuyer: 5, startsAtMs: Date.UTC(9999, 11, 31) };
  const live = { ...RECORD, state: 'held' as const, deadlineMs: now + HOUR_MS };
  const overdue = { ...RECORD, state: 'held' as const, deadlineMs: now - 1 };
  const pending = { ...live, state: 'pending' as const, version: 2, ordered: true };
  await loadLaneScript.run(redis, lane.key, {
    ...fence,
    products: [{ id: 77, rulesVersion: 4, rules, counters }],
    reservations: [
      { id: 'a', record: live },
      { id: 'b', record: overdue },
      { id: 'c', record: pending },
    ],
    buyers: [{ productId: 77, buyer: 'ann', units: 4 }],
    keys: [
      { operation: 'hold', key: 'k', value: 'f|a|1|2|USD', ttlMs: HOUR_MS },
      { operation: 'adj', key: '77:delivery', value: '5', ttlMs: HOUR_MS },
    ],
  });
  expect(await redis.hgetall(productKey(lane.lane, 77))).toMatchObject({
    ...{ total: '9', available: '3', held: '4', pending: '2', sold: '0', rules_version: '4' },
    ...{ max_per_buyer: '5', starts_at_ms: String(rules.startsAtMs), price_minor: '12900' },
  });
  expect(await redis.hget(productKey(lane.lane, 77), 'ends_at_ms')).toBeNull();
  const text = `held|1|77:2|${live.deadlineMs}|9007199254740991|USD|ann|1||`;
  expect(await redis.get(reservationKey(lane.lane, 'a'))).toBe(text);
  expect(await redis.pexpiretime(reservationKey(lane.lane, 'a'))).toBe(live.deadlineMs);
  expect(await redis.exists(reservationKey(lane.lane, 'b'))).toBe(0);
  expect(await redis.zrange(dueKey(lane.lane), 0, '-1', 'WITHSCORES')).toEqual([
    ...['b|held|1|77:2|ann', String(now - 1)],
    ...['a|held|1|77:2|ann', String(live.deadlineMs)],
    ...['c|pending|2|77:2|ann', String(live.deadlineMs)],
  ]);
  expect(await redis.hgetall(buyersKey(lane.lane, 77))).toMatchObject({ ann: '4' });
  const key = idempotencyKey(lane.lane, 'hold', 'k');
  expect(await redis.get(key)).toBe('f|a|1|2|USD');
  expect(await redis.pttl(key)).toBeGreaterThan(HOUR_MS - 60_000);
  expect(await redis.get(adjustmentKey(lane.lane, '77:delivery'))).toBe('5');
});

test('PROTOCOL 12: a rebuilder that was overtaken, or whose Redis was started again, writes nothing', async () => {
  const { lane, fence } = await rebuilding();
  const later = { epoch: 3, run: lane.run, shop: 'this one' };
  const calls = {
    start: (it: typeof fence) => startRebuildScript.run(redis, lane.key, it),
    wipe: (it: typeof fence) =>
      wipeLaneScript.run(redis, lane.key, { ...it, suffixes: ['due', 'outbox', 'product:1'] }),
    load: (it: typeof fence) =>
      loadLaneScript.run(redis, lane.key, {
        ...it,
        buyers: [{ productId: 1, buyer: 'ann', units: 1 }],
      }),
    open: (it: typeof fence) => {
      const expected = { expectedState: 'rebuilding', expectedRun: it.run, expectedTail: 'start' };
      return openLaneScript.run(redis, lane.key, { ...it, ...expected, cap: 1 });
    },
  };
  const expectRefused = async (name: keyof typeof calls, it: typeof fence) => {
    const written = await dumpOf(redis, lane.lane);
    expect(['stale', 'changed'], name).toContain((await calls[name](it)).status);
    expect(await dumpOf(redis, lane.lane), name).toEqual(written);
  };
  for (const name of ['wipe', 'load', 'open'] as const) {
    await expectRefused(name, { ...fence, run: 'before the restart' });
  }
  expect((await calls.start(later)).status).toBe('started');
  for (const name of ['start', 'wipe', 'load', 'open'] as const) await expectRefused(name, fence);
  expect((await calls.open(later)).status).toBe('opened');
  for (const name of ['start', 'wipe', 'load', 'open'] as const) await expectRefused(name, later);
  await redis.del(lane.key);
  for (const name of ['wipe', 'load', 'open'] as const) await expectRefused(name, later);
});

test('nobody else writes while a lane is rebuilt', async () => {
  const { lane } = await rebuilding();
  const written = await dumpOf(redis, lane.lane);
  for (const gate of [lane.gate(), { ...lane.gate(), epoch: 2 }]) {
    const requests = [lane.request([{ productId: 1, qty: 1 }])];
    const command = { ...gate, idempotencyTtlMs: HOUR_MS, requests };
    expect((await holdScript.run(redis, lane.key, command)).status).toBe('closed');
  }
  expect(await dumpOf(redis, lane.lane)).toEqual(written);
});
