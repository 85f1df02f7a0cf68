import { expect, test } from 'vitest';
import { closeLaneScript } from '../../src/redis/bindings/close-lane.ts';
import { openLaneScript } from '../../src/redis/bindings/open-lane.ts';
import { startRebuildScript } from '../../src/redis/bindings/start-rebuild.ts';
import { laneKey, outboxKey } from '../../src/redis/keys.ts';
import { openTestLane, type TestLane } from '../support/lane.ts';
import { expectConsistent } from '../support/lane-audit.ts';
import { dumpOf, useRedis } from '../support/redis.ts';

const redis = useRedis();

test('a new lane opens with an empty journal', async () => {
  const lane = await openTestLane(redis, { cap: 7, epoch: 3 });
  expect({ ...(await redis.hgetall(lane.key)) }).toEqual({
    state: 'open',
    epoch: '3',
    run: lane.run,
    shop: 'a test',
    cap: '7',
    tail: 'start',
    position: '',
    emitted: '0',
    persisted: '0',
  });
  await lane.product(5);
  await expectConsistent(lane);
  expect((await redis.xinfo('STREAM', outboxKey(lane.lane))) as string[]).toContain('3-0');
});

test('of several that begin the same epoch at once, one does', async () => {
  const begin = (index: number) =>
    startRebuildScript.run(redis, laneKey(4095), { epoch: 1, run: `run${index}`, shop: '' });
  const replies = await Promise.all(Array.from({ length: 10 }, (_, index) => begin(index)));
  expect(replies.filter(({ status }) => status === 'started')).toHaveLength(1);
  expect(replies.filter(({ status }) => status === 'changed')).toHaveLength(9);
});

test('a lane of an earlier server process goes on where its journal ended', async () => {
  const lane = await openTestLane(redis, { cap: 10 });
  const product = await lane.product(5);
  await lane.held(product);
  await redis.hset(lane.key, 'run', 'an earlier process');
  expect((await lane.expire()).status).toBe('stale');
  const { epoch, run, key } = lane;
  const expected = { expectedState: 'open', expectedRun: 'an earlier process', expectedTail: '' };
  const reply = await openLaneScript.run(redis, key, { epoch, run, ...expected, cap: 20 });
  expect(reply.status).toBe('opened');
  expect(await redis.hget(key, 'cap')).toBe('20');
  await lane.held(product);
  await expectConsistent(lane);
});

/** The status, and that nothing was written. */
async function refusedBy(lane: TestLane, call: () => Promise<{ status: string }>): Promise<string> {
  const written = await dumpOf(redis, lane.lane);
  const { status } = await call();
  expect(await dumpOf(redis, lane.lane)).toEqual(written);
  return status;
}

test('a lane that is not as it was examined is not opened', async () => {
  const lane = await openTestLane(redis);
  await lane.product(5);
  const open = (epoch: number, expectedState: string, expectedRun: string) =>
    refusedBy(lane, () => {
      const command = {
        epoch,
        run: 'another',
        expectedState,
        expectedRun,
        expectedTail: '',
        cap: 1,
      };
      return openLaneScript.run(redis, lane.key, command);
    });
  expect(await open(1, 'open', 'a third')).toBe('changed');
  expect(await open(2, 'open', lane.run)).toBe('changed');
  for (const state of ['closed', 'rebuilding']) {
    await redis.hset(lane.key, 'state', state);
    expect(await open(1, 'open', lane.run)).toBe('changed');
  }
  await redis.del(lane.key);
  expect(await open(1, 'open', lane.run)).toBe('changed');
});

test('a closed lane writes nothing until it is opened, and then goes on', async () => {
  const lane = await openTestLane(redis);
  const product = await lane.product(5);
  await lane.held(product);
  const { epoch, run, key } = lane;
  expect((await closeLaneScript.run(redis, key, { epoch, run })).status).toBe('closed');
  expect(await refusedBy(lane, () => lane.expire())).toBe('closed');
  const expectedTail = (await redis.hget(key, 'tail')) ?? '';
  const expected = { expectedState: 'closed', expectedRun: run, expectedTail };
  const another = { ...expected, expectedTail: 'another', epoch, run, cap: 20 };
  expect(await refusedBy(lane, () => openLaneScript.run(redis, key, another))).toBe('changed');
  await openLaneScript.run(redis, key, { epoch, run, ...expected, cap: 20 });
  await lane.held(product);
  await expectConsistent(lane);
});

test('only a lane that is open as it was examined is closed', async () => {
  const lane = await openTestLane(redis);
  const { epoch, run, key } = lane;
  const close = (changes: object) =>
    refusedBy(lane, () => closeLaneScript.run(redis, key, { epoch, run, ...changes }));
  expect(await close({ epoch: 2 })).toBe('changed');
  expect(await close({ run: 'another' })).toBe('changed');
  await redis.hset(key, 'state', 'rebuilding');
  expect(await close({})).toBe('changed');
  await redis.del(key);
  expect(await close({})).toBe('changed');
});
