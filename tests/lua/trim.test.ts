import { expect, test } from 'vitest';
import { trimScript } from '../../src/redis/bindings/trim.ts';
import { outboxKey } from '../../src/redis/keys.ts';
import { openTestLane, type TestLane } from '../support/lane.ts';
import { expectConsistent, journalOf } from '../support/lane-audit.ts';
import { dumpOf, useRedis } from '../support/redis.ts';

const redis = useRedis();

const trim = (lane: TestLane, persisted: number, minId = '', epoch = lane.epoch) =>
  trimScript.run(redis, lane.key, { epoch, persisted, minId });

/** A lane with five transitions in four entries. */
async function busyLane(): Promise<TestLane> {
  const lane = await openTestLane(redis);
  const product = await lane.product(5);
  await lane.held(product);
  const items = [{ productId: product, qty: 1 }];
  await lane.holdBatch([lane.request(items), lane.request(items)]);
  await lane.held(product);
  return lane;
}

test('what MySQL has committed lowers the backlog, and only ever lowers it', async () => {
  const lane = await busyLane();
  expect((await trim(lane, 4)).status).toBe('trimmed');
  expect(await redis.hget(lane.key, 'persisted')).toBe('4');
  expect((await trim(lane, 2)).status).toBe('trimmed');
  expect(await redis.hget(lane.key, 'persisted')).toBe('4');
  await expectConsistent(lane);
});

test('entries before the given one go, and the next entry carries on the chain', async () => {
  const lane = await busyLane();
  const before = await journalOf(lane);
  await trim(lane, 5, '1-2');
  expect(await journalOf(lane)).toEqual(before.slice(2));
  await trim(lane, 5, '1-99');
  expect(await redis.xlen(outboxKey(lane.lane))).toBe(0);
  await lane.product(1);
  expect(await journalOf(lane)).toMatchObject([
    { sequence: 4, prev: before.at(-1)?.call, emitted: 8 },
  ]);
});

test('a closed lane can be trimmed', async () => {
  const lane = await busyLane();
  await redis.hset(lane.key, 'state', 'closed');
  await trim(lane, 5, '1-1');
  expect(await redis.hget(lane.key, 'persisted')).toBe('5');
  expect(await redis.xlen(outboxKey(lane.lane))).toBe(3);
});

test('the word of another epoch is stale, and nothing is written', async () => {
  const lane = await busyLane();
  const written = await dumpOf(redis, lane.lane);
  expect((await trim(lane, 5, '2-0', 2)).status).toBe('stale');
  expect(await dumpOf(redis, lane.lane)).toEqual(written);
  await redis.del(lane.key);
  expect((await trim(lane, 5, '1-1')).status).toBe('stale');
});
