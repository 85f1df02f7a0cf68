import { expect, test } from 'vitest';
import { readProductsScript } from '../../src/redis/bindings/read-products.ts';
import { HOUR_MS, openTestLane } from '../support/lane.ts';
import { useRedis } from '../support/redis.ts';

const redis = useRedis();

test('counters and rules come in the order asked for, nothing for an unknown product', async () => {
  const lane = await openTestLane(redis);
  const plain = await lane.product(5, { name: 'Boot | tab\tß' });
  const ruled = await lane.product(3, {
    startsAtMs: 1,
    endsAtMs: Date.now() + HOUR_MS,
    maxPerHold: 2,
    maxPerBuyer: 1,
    extendMs: 1_500,
  });
  await lane.held(plain, { qty: 2 });
  const productIds = [ruled, 999_999, plain];
  const reply = await readProductsScript.run(redis, lane.key, { productIds });
  if (reply.status !== 'products') throw new Error(reply.status);
  const [first, unknown, last] = reply.products;
  expect(reply.products).toHaveLength(3);
  expect(unknown).toBeUndefined();
  expect(Object.fromEntries(first ?? [])).toMatchObject({
    total: '3',
    starts_at_ms: '1',
    max_per_hold: '2',
    max_per_buyer: '1',
    extend_ms: '1500',
  });
  expect(Object.fromEntries(last ?? [])).toEqual({
    name: 'Boot | tab\tß',
    total: '5',
    available: '3',
    held: '2',
    pending: '0',
    sold: '0',
    status: 'active',
    starts_at_ms: '',
    ends_at_ms: '',
    hold_ttl_ms: String(HOUR_MS),
    pay_ttl_ms: String(HOUR_MS),
    max_per_hold: '',
    max_per_buyer: '',
    price_minor: '12900',
    currency: 'USD',
    extend_ms: '',
  });
});

test('a lane that is not open tells nothing', async () => {
  const lane = await openTestLane(redis);
  const productIds = [await lane.product(5)];
  const status = async () => (await readProductsScript.run(redis, lane.key, { productIds })).status;
  expect(await status()).toBe('products');
  for (const state of ['closed', 'rebuilding']) {
    await redis.hset(lane.key, 'state', state);
    expect(await status()).toBe('closed');
  }
  await redis.del(lane.key);
  expect(await status()).toBe('closed');
});
