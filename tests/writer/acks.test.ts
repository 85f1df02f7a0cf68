import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, expect, inject, test } from 'vitest';
import { newCall } from '../../src/domain/ids.ts';
import { Unavailable } from '../../src/domain/unavailable.ts';
import { commitsChannel } from '../../src/redis/keys.ts';
import { type Acks, createAcks } from '../../src/writer/acks.ts';
import { seconds } from '../support/engine.ts';

const LANES = 2;
const publisher = new Redis(inject('redisUrl'), { lazyConnect: true });
const subscriber = new Redis(inject('redisUrl'), { lazyConnect: true });
let acks: Acks;
let checkServers: () => void;

beforeAll(async () => {
  await Promise.all([publisher.connect(), subscriber.connect()]);
  acks = await createAcks(subscriber, LANES, { checkServers: () => checkServers() });
});
afterAll(() => {
  publisher.disconnect();
  subscriber.disconnect();
});

beforeEach(() => {
  checkServers = () => {};
});

const no = async () => false;
const publish = (lane: number, ...calls: string[]) =>
  publisher.publish(commitsChannel(lane), calls.join(' '));

test('a waiter is woken by its own call only', async () => {
  const [mine, another] = [newCall(), newCall()];
  const woken = acks.register(mine).committed(seconds(5), no);
  const waiting = acks.register(another).committed(seconds(0.4), no);
  await publish(0, newCall(), mine, newCall());
  await woken;
  await expect(waiting).rejects.toThrow(Unavailable);
});

test('a commit that is told before the waiter waits counts', async () => {
  const [first, second] = [newCall(), newCall()];
  const [early, marker] = [acks.register(first), acks.register(second)];
  await publish(1, first);
  await publish(1, second);
  await marker.committed(seconds(5), no);
  // Nothing more is published, and its deadline has passed: it knows already.
  await early.committed(seconds(0), no);
});

test('a hundred waiters share a message, and each gets its own', async () => {
  const calls = Array.from({ length: 100 }, newCall);
  const waiting = calls.map((call) => acks.register(call).committed(seconds(5), no));
  await publish(0, ...calls.slice(0, 50));
  await publish(1, ...calls.slice(50));
  await Promise.all(waiting);
});

test('when the message is lost, the row decides', async () => {
  let asked = 0;
  const decided = async () => {
    asked += 1;
    if (asked === 1) throw new Error('MySQL hiccups');
    return asked === 3;
  };
  await acks.register(newCall()).committed(seconds(5), decided);
  expect(asked).toBe(3);
});

test('a repeat waits for the row alone, and finds one that is there at once', async () => {
  let asked = 0;
  const decided = async () => {
    asked += 1;
    return asked === 2;
  };
  await acks.until(seconds(5), decided);
  expect(asked).toBe(2);
  await acks.until(seconds(0), async () => true);
  await expect(acks.until(seconds(0), no)).rejects.toThrow(Unavailable);
});

test('a cancelled waiter is not woken', async () => {
  const call = newCall();
  const waiter = acks.register(call);
  waiter.cancel();
  const marker = acks.register(newCall());
  await publish(0, call);
  marker.cancel();
  await expect(waiter.committed(seconds(0.3), no)).rejects.toThrow('not confirmed');
});

test('a waiter gives up as soon as a server is known to be away, unless the row decides', async () => {
  let isAway = false;
  checkServers = () => {
    if (isAway) throw new Unavailable('Redis is away');
  };
  let looks = 0;
  const decided = async () => {
    looks += 1;
    isAway = looks >= 2;
    return false;
  };
  await expect(acks.register(newCall()).committed(seconds(5), decided)).rejects.toThrow('is away');
  expect(looks).toBe(2);
  await acks.register(newCall()).committed(seconds(5), async () => true);
});

test('a row that cannot be looked at holds nobody up', async () => {
  checkServers = () => {
    throw new Unavailable('MySQL is away');
  };
  const never = () => new Promise<boolean>(() => {});
  const startedAt = performance.now();
  await expect(acks.register(newCall()).committed(seconds(60), never)).rejects.toThrow('is away');
  expect(performance.now() - startedAt).toBeLessThan(10_000);
});
