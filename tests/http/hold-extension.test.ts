import { afterAll, beforeAll, expect, test } from 'vitest';
import { holdId, orderId } from '../../src/domain/ids.ts';
import { expectBooksBalance } from '../support/books.ts';
import { held, ordered } from '../support/buying.ts';
import { makeProduct, seconds, startEngine, type TestEngine } from '../support/engine.ts';
import { redisTimeAfter } from '../support/redis.ts';
import { appOn, type Client, clientOf, expectProblem, unknownIds } from './support.ts';

let engine: TestEngine;
let client: Client;

beforeAll(async () => {
  engine = await startEngine();
  client = clientOf(appOn(engine));
});
afterAll(async () => {
  await expectBooksBalance(engine);
  await engine.stop();
});

const extend = (hold: string) => client.post(`/api/holds/${hold}/extend`);
const extendable = (changes: object = {}) => makeProduct(engine, { extendMs: 90_000, ...changes });

test('a hold is extended once, without a body; a repeat gets the same answer', async () => {
  const { id } = await extendable();
  const taken = await client.post('/api/holds', { product_id: id, qty: 2, buyer: 'ann' });
  const { hold_id, expires_at } = taken.body;
  const later = new Date(Date.parse(String(expires_at)) + 90_000).toISOString();
  for (const answer of [
    await extend(String(hold_id)),
    await extend(String(hold_id)),
    await client.post(`/api/holds/${hold_id}/extend`, {}),
    await client.get(`/api/holds/${hold_id}`),
  ]) {
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({ ...taken.body, expires_at: later });
  }
  const shown = await client.get(`/api/products/${id}`);
  expect(shown.body).toMatchObject({ held: 2, extend_seconds: 90 });
});

test('a key tells its first answer, the hold itself its new time', async () => {
  const { id } = await extendable();
  const take = () =>
    client.post('/api/holds', { product_id: id, qty: 1 }, { 'Idempotency-Key': `of-${id}` });
  const first = await take();
  const extended = await extend(String(first.body.hold_id));
  expect(extended.body.expires_at).not.toBe(first.body.expires_at);
  expect((await take()).body).toEqual(first.body);
});

test('each refusal has its code', async () => {
  const [plain, product] = [await makeProduct(engine), await extendable()];
  const short = await extendable({ holdTtlMs: 50 });
  expectProblem(await extend(holdId((await held(engine, plain)).id)), 'extension_not_allowed');
  const both = [plain, product].map(({ id }) => ({ productId: id, qty: 1 }));
  expectProblem(await extend(holdId((await held(engine, both)).id)), 'extension_not_allowed');
  const used = await ordered(engine, product);
  expectProblem(await extend(holdId(used)), 'hold_used', { order_id: orderId(used) });
  const released = await held(engine, product);
  await engine.engine.release(released.id, seconds(2));
  expectProblem(await extend(holdId(released.id)), 'hold_released');
  const overdue = await held(engine, short);
  await redisTimeAfter(engine.redis, overdue.expiresAtMs);
  expectProblem(await extend(holdId(overdue.id)), 'hold_expired');
});

test.for(unknownIds('hold'))('hold %s is not found', async (id) => {
  expectProblem(await extend(id), 'hold_not_found');
});

test('other methods are no route', async () => {
  const { id } = await held(engine, await extendable());
  for (const method of ['GET', 'DELETE', 'PATCH']) {
    expectProblem(await client.raw(method, `/api/holds/${holdId(id)}/extend`), 'not_found');
  }
});
