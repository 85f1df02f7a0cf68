import { describe, expect, test } from 'vitest';
import { closeLaneScript } from '../../src/redis/bindings/close-lane.ts';
import { loadLaneScript } from '../../src/redis/bindings/load-lane.ts';
import { openLaneScript } from '../../src/redis/bindings/open-lane.ts';
import { readProductsScript } from '../../src/redis/bindings/read-products.ts';
import { startRebuildScript } from '../../src/redis/bindings/start-rebuild.ts';
import { trimScript } from '../../src/redis/bindings/trim.ts';
import { wipeLaneScript } from '../../src/redis/bindings/wipe-lane.ts';
import {
  adjustmentKey,
  buyersKey,
  dueKey,
  idempotencyKey,
  laneKey,
  outboxKey,
  productKey,
  reservationKey,
} from '../../src/redis/keys.ts';
import { openTestLane, SHORT_TTL_MS, type TestLane } from '../support/lane.ts';
import { dumpOf, redisTimeAfter, useRedis } from '../support/redis.ts';

// Lua has no rollback: a script that meets a key of the wrong type must fail before it writes.
const redis = useRedis();

interface Scene {
  lane: TestLane;
  /** Two products with a buyer limit, ordered as items. */
  items: { productId: number; qty: number }[];
  held: string;
  pending: string;
}

async function scene(): Promise<Scene> {
  const lane = await openTestLane(redis);
  const plain = await lane.product(9, { extendMs: 9 });
  const limited = await lane.product(9, { extendMs: 9, maxPerBuyer: 9 });
  const items = [plain, limited].map((productId) => ({ productId, qty: 1 }));
  const held = await lane.held(items, { buyer: 'ann' });
  const pending = await lane.ordered(items, { buyer: 'ann' });
  return { lane, items, held: held.id, pending: pending.id };
}

const limitedProduct = ({ items }: Scene) => items[1]?.productId ?? 0;

const KEYS: Record<string, (scene: Scene) => string> = {
  lane: ({ lane }) => lane.key,
  product: (set) => productKey(set.lane.lane, limitedProduct(set)),
  due: ({ lane }) => dueKey(lane.lane),
  outbox: ({ lane }) => outboxKey(lane.lane),
  buyers: (set) => buyersKey(set.lane.lane, limitedProduct(set)),
  'idem:hold': ({ lane }) => idempotencyKey(lane.lane, 'hold', 'k'),
  'idem:order': ({ lane }) => idempotencyKey(lane.lane, 'order', 'k'),
  'adj of it': (set) => adjustmentKey(set.lane.lane, `${limitedProduct(set)}:k`),
  'res of the hold': ({ lane, held }) => reservationKey(lane.lane, held),
  'res of the order': ({ lane, pending }) => reservationKey(lane.lane, pending),
};

/** Each script, with the keys that it reads or writes. */
const CALLS: [string, string[], (scene: Scene) => Promise<unknown>][] = [
  [
    'hold',
    ['lane', 'product', 'due', 'outbox', 'buyers', 'idem:hold'],
    ({ lane, items }) => {
      const plain = Array.from({ length: 9 }, () => lane.request(items.slice(0, 1)));
      // The last of the batch meets the key, when nine have been granted.
      return lane.holdBatch([...plain.slice(2), lane.request(items, { buyer: 'ann', key: 'k' })]);
    },
  ],
  [
    'order',
    ['lane', 'product', 'due', 'outbox', 'idem:order', 'res of the hold'],
    ({ lane, held }) => lane.order(held, { key: 'k' }),
  ],
  [
    'extend',
    ['lane', 'product', 'due', 'outbox', 'res of the hold'],
    ({ lane, held }) => lane.extend(held),
  ],
  [
    'release',
    ['lane', 'product', 'due', 'outbox', 'buyers', 'res of the hold'],
    ({ lane, held }) => lane.release(held),
  ],
  [
    'settle',
    ['lane', 'product', 'due', 'outbox', 'buyers', 'res of the order'],
    ({ lane, pending }) => lane.settle(pending, 'r1', 'failed'),
  ],
  [
    'adjust_stock',
    ['lane', 'product', 'due', 'outbox', 'adj of it'],
    (set) => set.lane.adjust(limitedProduct(set), 1, 'k'),
  ],
  [
    'put_product of new rules',
    ['lane', 'product'],
    (set) => set.lane.putProduct(limitedProduct(set), null, {}, 2),
  ],
  ['put_product of a new one', ['lane', 'due', 'outbox'], ({ lane }) => lane.product(1)],
  [
    'open_lane',
    ['lane'],
    ({ lane: { key, epoch, run } }) =>
      openLaneScript.run(redis, key, {
        epoch,
        run,
        expectedState: 'open',
        expectedRun: run,
        expectedTail: '',
        cap: 5,
      }),
  ],
  [
    'close_lane',
    ['lane'],
    ({ lane: { key, epoch, run } }) => closeLaneScript.run(redis, key, { epoch, run }),
  ],
  [
    'start_rebuild',
    ['lane'],
    ({ lane: { key, epoch, run } }) =>
      startRebuildScript.run(redis, key, { epoch: epoch + 1, run, shop: '' }),
  ],
  [
    'wipe_lane',
    ['lane'],
    ({ lane: { key, epoch, run } }) =>
      wipeLaneScript.run(redis, key, { epoch, run, suffixes: ['due'] }),
  ],
  [
    'load_lane',
    ['lane'],
    ({ lane: { key, epoch, run } }) => loadLaneScript.run(redis, key, { epoch, run }),
  ],
  [
    'trim',
    ['lane', 'outbox'],
    ({ lane: { key, epoch } }) => trimScript.run(redis, key, { epoch, persisted: 2, minId: '1-1' }),
  ],
  [
    'read_products',
    ['lane', 'product'],
    (set) => readProductsScript.run(redis, set.lane.key, { productIds: [limitedProduct(set)] }),
  ],
];

/** Runs the call with one key spoiled: it must fail, and leave the lane byte by byte as it was. */
async function expectNothingWritten(set: Scene, key: string, call: () => Promise<unknown>) {
  const isString = (await redis.type(key)) === 'string' || /:(idem|adj|res):/.test(key);
  await redis.del(key);
  if (isString) await redis.rpush(key, 'of the wrong type');
  else await redis.set(key, 'of the wrong type');
  const written = await dumpOf(redis, set.lane.lane);
  await expect(call()).rejects.toThrow('WRONGTYPE');
  expect(await dumpOf(redis, set.lane.lane)).toEqual(written);
}

describe.each(CALLS)('%s', (_, keys, run) => {
  test('succeeds while every key is right', async () => {
    await expect(run(await scene())).resolves.toBeDefined();
  });

  test.each(keys)('fails without a write when %s is of the wrong type', async (name) => {
    const set = await scene();
    await expectNothingWritten(set, KEYS[name]?.(set) ?? '', () => run(set));
  });
});

test.each(['lane', 'product', 'due', 'outbox', 'buyers'])(
  'expire fails without a write when %s is of the wrong type',
  async (name) => {
    const lane = await openTestLane(redis);
    const rules = { holdTtlMs: SHORT_TTL_MS, maxPerBuyer: 9 };
    const items = [{ productId: await lane.product(9, rules), qty: 1 }];
    items.push({ productId: await lane.product(9, rules), qty: 1 });
    const { id: held, deadlineMs } = await lane.held(items, { buyer: 'ann' });
    await redisTimeAfter(redis, deadlineMs);
    expect(await redis.exists(reservationKey(lane.lane, held))).toBe(0);
    const set: Scene = { lane, items, held, pending: '' };
    await expectNothingWritten(set, KEYS[name]?.(set) ?? laneKey(0), () => lane.expire());
  },
);
