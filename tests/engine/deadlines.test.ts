import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { compose } from '../../src/compose.ts';
import { newReservationId } from '../../src/domain/ids.ts';
import { Unavailable } from '../../src/domain/unavailable.ts';
import { orderScript } from '../../src/redis/bindings/order.ts';
import { expectBooksBalance } from '../support/books.ts';
import { held, unique } from '../support/buying.ts';
import { seconds, type TestEngine } from '../support/engine.ts';
import { undrainedEngine } from '../support/undrained.ts';
import { eventually } from '../support/wait.ts';
import { startWay } from '../support/way.ts';

/** Within which a request is answered while Redis stands still. */
const ANSWERED_MS = 2_000;
const COMMIT_S = 3;

/** A process with a way of its own to Redis, on lanes that nobody drains. */
async function behindAWay() {
  const { t, product } = await undrainedEngine(async (engine: TestEngine) => {
    await engine.another({ config: { roles: ['writer'] } });
    await expectBooksBalance(engine);
  });
  const way = await startWay(t.redisUrl);
  const log = pino({ level: 'silent' });
  const own = { redisUrl: way.url, mysqlUrl: t.mysqlUrl };
  const holdfast = await compose({ config: t.config, log, ...own });
  onTestFinished(async () => {
    await holdfast.close();
    await way.close();
  });
  return { t, product, way, holdfast };
}

/** Milliseconds until it is told that the outcome is unknown. */
async function untilToldUnavailable(asking: Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await expect(asking).rejects.toThrow(Unavailable);
  return performance.now() - startedAt;
}

/** An order that is made in Redis, and waits for its commit. */
async function waitingForACommit() {
  const { t, product, way, holdfast } = await behindAWay();
  const { id } = await held(holdfast, product);
  const ordering = holdfast.engine.order(id, unique('key'), seconds(COMMIT_S));
  const tookMs = untilToldUnavailable(ordering);
  await eventually(async () => {
    expect(await t.engine.readProduct(product.id, seconds(1))).toMatchObject({ pending: 1 });
  });
  return { way, tookMs };
}

test('who waits for a commit is told in time when Redis stands still', async () => {
  const { way, tookMs } = await waitingForACommit();
  const stalledAt = performance.now();
  way.set('stall');
  await tookMs;
  expect(performance.now() - stalledAt).toBeLessThanOrEqual(ANSWERED_MS);
  way.set('pass');
});

test('who waits for MySQL to catch up is told in time when Redis stands still', async () => {
  const { t, product, way, holdfast } = await behindAWay();
  await held(holdfast, product);
  await t.redis.script('LOAD', orderScript.text);
  const ordering = holdfast.engine.order(newReservationId(0), '', seconds(COMMIT_S));
  const tookMs = untilToldUnavailable(ordering);
  // Behind it on the same connection: Redis has said that it lacks the hold.
  await holdfast.link.redis.ping();
  const stalledAt = performance.now();
  way.set('stall');
  await tookMs;
  expect(performance.now() - stalledAt).toBeLessThanOrEqual(ANSWERED_MS);
  way.set('pass');
});

test('who waits for a commit waits its whole time while both servers answer', async () => {
  const { tookMs } = await waitingForACommit();
  expect(await tookMs).toBeGreaterThanOrEqual(COMMIT_S * 1_000 - 10);
});

test('what Redis does not answer in time does not run afterwards', async () => {
  const { t, product, way, holdfast } = await behindAWay();
  const { id } = await held(holdfast, product);
  // Else it would be sent once more, after what is asked next.
  await t.redis.script('LOAD', orderScript.text);
  way.set('stall');
  const ordering = holdfast.engine.order(id, '', seconds(COMMIT_S));
  expect(await untilToldUnavailable(ordering)).toBeLessThanOrEqual(ANSWERED_MS);
  way.set('pass');
  // Behind it on the same connection.
  await eventually(() => holdfast.link.redis.ping());
  const found = await t.engine.readProduct(product.id, seconds(1));
  expect(found).toMatchObject({ held: 1, pending: 0 });
});

test('holds of one batch are told each at its own deadline', async () => {
  const { product, way, holdfast } = await behindAWay();
  const items = [{ productId: product.id, qty: 1 }];
  await held(holdfast, product);
  way.set('stall');
  const [soonMs, laterMs] = await Promise.all(
    [0.2, 1.2].map((s) =>
      untilToldUnavailable(holdfast.engine.hold({ items, buyer: '', key: '' }, seconds(s))),
    ),
  );
  expect(soonMs).toBeLessThan(1_000);
  expect(laterMs).toBeGreaterThanOrEqual(1_190);
  way.set('pass');
});
