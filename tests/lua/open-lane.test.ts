import { expect, test } from 'vitest';
import { openLaneScript } from '../../src/redis/bindings/open-lane.ts';
import { laneKey, outboxKey } from '../../src/redis/keys.ts';
import { openTestLane } from '../support/lane.ts';
import { expectConsistent } from '../support/lane-audit.ts';
import { dumpOf, useRedis } from '../support/redis.ts';

const redis = useRedis();

test('a new lane opens with an empty journal', async () => {
  const lane = await openTestLane(redis, { cap: 7, epoch: 3 });
  expect({ ...(await redis.hgetall(lane.key)) }).toEqual({
    state: 'open',
    epoch: '3',
    run: lane.run,
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

test('of several that open a new lane at once, one does', async () => {
  const lane = 4095;
  const open = (index: number) =>
    openLaneScript.run(redis, laneKey(lane), {
      epoch: 1,
      run: `run${index}`,
      expectedRun: '',
      cap: 10,
    });
  const replies = await Promise.all(Array.from({ length: 10 }, (_, index) => open(index)));
  expect(replies.filter(({ status }) => status === 'opened')).toHaveLength(1);
  expect(replies.filter(({ status }) => status === 'changed')).toHaveLength(9);
});

test('a lane of an earlier server process goes on where its journal ended', async () => {
  const lane = await openTestLane(redis, { cap: 10 });
  const product = await lane.product(5);
  await lane.held(product);
  await redis.hset(lane.key, 'run', 'an earlier process');
  expect((await lane.expire()).status).toBe('stale');
  const { epoch, run, key } = lane;
  const command = { epoch, run, expectedRun: 'an earlier process', cap: 20 };
  expect((await openLaneScript.run(redis, key, command)).status).toBe('opened');
  expect(await redis.hget(key, 'cap')).toBe('20');
  await lane.held(product);
  await expectConsistent(lane);
});

test('a lane that is not as it was examined stays as it is', async () => {
  const lane = await openTestLane(redis);
  await lane.product(5);
  const open = async (epoch: number, expectedRun: string) => {
    const command = { epoch, run: 'another', expectedRun, cap: 1 };
    const written = await dumpOf(redis, lane.lane);
    const { status } = await openLaneScript.run(redis, lane.key, command);
    expect(await dumpOf(redis, lane.lane)).toEqual(written);
    return status;
  };
  expect(await open(1, 'a third')).toBe('changed');
  expect(await open(1, '')).toBe('changed');
  expect(await open(2, lane.run)).toBe('changed');
  await redis.hset(lane.key, 'state', 'closed');
  expect(await open(1, lane.run)).toBe('changed');
  await redis.hset(lane.key, 'state', 'rebuilding');
  expect(await open(1, lane.run)).toBe('changed');
  await redis.del(lane.key);
  expect(await open(1, lane.run)).toBe('changed');
});
