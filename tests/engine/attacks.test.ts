import { expect, onTestFinished, test } from 'vitest';
import { openDatabase, transaction } from '../../src/db/client.ts';
import { watchLag } from '../../src/writer/lag.ts';
import { expectBooksBalance } from '../support/books.ts';
import { atOnce, held, hold, tally } from '../support/buying.ts';
import { makeProduct, ownEngine, seconds } from '../support/engine.ts';
import { eventually } from '../support/wait.ts';

// Each of these broke something once.

const none = async () => {};

test('a transaction past its limit writes nothing, whatever it goes on to say', async () => {
  const t = await ownEngine({}, none);
  const database = openDatabase(t.mysqlUrl, 1);
  onTestFinished(database.close);
  const insert = (reference: string) =>
    `INSERT INTO payment_events (reference, status, received_at)
      VALUES ('${reference}', 'success', NOW())`;
  let isOver = false;
  const running = transaction(database, 200, async (connection) => {
    try {
      await connection.query('SELECT SLEEP(0.5)');
      // With a ROLLBACK queued before them, these two would commit one by one.
      await connection.query(insert('first'));
      await connection.query(insert('second'));
    } finally {
      isOver = true;
    }
  });
  await expect(running).rejects.toThrow('did not answer in time');
  await eventually(() => expect(isOver).toBe(true));
  // The server ends the statement of a lost connection in its own time.
  await eventually(async () => {
    const rows = await t.sql('SHOW PROCESSLIST');
    expect(rows.filter(({ Info }) => String(Info).includes('SLEEP'))).toEqual([]);
  });
  expect(await t.sql('SELECT reference FROM payment_events')).toEqual([]);
});

test('connections are strict and know backslashes, whatever the server is set to', async () => {
  const t = await ownEngine({}, expectBooksBalance);
  const [rows] = await t.database.pool.query('SELECT @@SESSION.sql_mode AS mode');
  expect(rows).toEqual([{ mode: 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION' }]);
  const orderId = "', version(), '";
  const event = { orderId, reference: "\\' OR 1=1 #\\", status: 'success' } as const;
  expect(await t.inbox.receive(event, seconds(5))).toEqual({ status: 'order_not_found' });
  expect(await t.sql('SELECT order_id, reference FROM payment_events')).toEqual([
    { order_id: orderId, reference: event.reference },
  ]);
});

test('an overview without MySQL fails once, and leaves no rejection behind', async () => {
  const t = await ownEngine({ config: { lanes: 4 } }, none);
  const unheard: unknown[] = [];
  const hear = (reason: unknown) => unheard.push(reason);
  process.on('unhandledRejection', hear);
  onTestFinished(() => void process.off('unhandledRejection', hear));
  await t.database.close();
  await expect(t.engine.admin.overview(seconds(1))).rejects.toThrow('MySQL');
  // A rejection is called unhandled once the queue of promises is empty.
  await new Promise((resolve) => setImmediate(resolve));
  expect(unheard).toEqual([]);
});

test('thousands of products due in one call come back', async () => {
  // Undrained: MySQL does not know these products, and would close the lane.
  const t = await ownEngine({ config: { roles: ['api'] } }, none);
  const writer = await t.another({ config: { roles: ['writer'] } });
  const template = await makeProduct(t, { holdTtlMs: 200, totalStock: 1 });
  await writer.close();
  // 200 holds of 20 items: as much as one call reclaims, and more than Lua unpacks.
  const [ids, each] = [Array.from({ length: 4_000 }, (_, at) => 1_000_000 + at), 20];
  const fields = await t.redis.hgetall(`hf:{0}:product:${template.id}`);
  const filling = t.redis.pipeline();
  for (const id of ids) {
    filling.hset(`hf:{0}:product:${id}`, { ...fields }).hset('hf:catalog', String(id), '0');
  }
  await filling.exec();
  const outcomes = await atOnce(ids.length / each, (at) => {
    const items = ids.slice(at * each, (at + 1) * each);
    return hold(
      t,
      items.map((productId) => ({ productId, qty: 1 })),
    );
  });
  expect(tally(outcomes)).toEqual({ held: 200 });
  const [second] = ids.slice(-each);
  await eventually(async () => {
    // Nobody but this hold makes room for itself.
    expect(await hold(t, { id: second ?? 0 })).toMatchObject({ status: 'held' });
  });
  const [first] = ids;
  expect(await hold(t, { id: first ?? 0 })).toMatchObject({ status: 'held' });
});

test('an adjustment that calls itself created is one like any other', async () => {
  const t = await ownEngine({}, expectBooksBalance);
  const product = await makeProduct(t, { totalStock: 5 });
  const add = () => t.engine.admin.adjustStock(product.id, 3, 'created', seconds(5));
  expect(await add()).toMatchObject({ status: 'adjusted', product: { total: 8 } });
  await t.redis.del(`hf:{0}:adj:${product.id}:created`);
  expect(await add()).toMatchObject({ status: 'adjusted', product: { total: 8 } });
});

test('a rebuilt lane is not held to be behind for what an older epoch had open', async () => {
  const t = await ownEngine({ config: { roles: ['api'] } }, none);
  await t.redis.hset('hf:{0}:lane', 'position', '1-5');
  const lag = await watchLag(t.link.redis, t.database, 1);
  onTestFinished(lag.close);
  expect(lag.ofLane(0)).toBeGreaterThan(0);
  await t.redis.hset('hf:{0}:lane', 'position', '2-0', 'epoch', 2);
  await t.sql('UPDATE lanes SET epoch = 2, sequence = 0');
  await eventually(() => expect(lag.ofLane(0)).toBe(0));
});

test('a batch fails for nobody else when one of its requests cannot be had', async () => {
  const t = await ownEngine({}, expectBooksBalance);
  const product = await makeProduct(t, { totalStock: 3 });
  const outcomes = await Promise.all([
    held(t, product),
    hold(t, { id: 999_999_999 }),
    hold(t, product, { qty: 10_000 }),
    held(t, product),
  ]);
  const statuses = outcomes.map((it) => ('status' in it ? it.status : it.state));
  expect(statuses).toEqual(['held', 'product_not_found', 'sold_out', 'held']);
});
