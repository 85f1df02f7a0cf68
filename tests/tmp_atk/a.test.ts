import { expect, test, inject } from 'vitest';
import { openDatabase, transaction } from '../../src/db/client.ts';
import { watchLag } from '../../src/writer/lag.ts';
import { makeProduct, seconds, startEngine } from '../support/engine.ts';

test('1 transaction past its limit writes nothing', async () => {
  const t = await startEngine({ config: { roles: ['api', 'writer'] } });
  const db = openDatabase(t.mysqlUrl, 2);
  const run = transaction(db, 300, async (c) => {
    await c.query('SELECT SLEEP(0.6)');
    await c.query("INSERT INTO payment_events (reference, status, received_at) VALUES ('x','success',NOW())");
    await c.query("INSERT INTO payment_events (reference, status, received_at) VALUES ('y','success',NOW())");
  });
  await expect(run).rejects.toThrow();
  await new Promise((r) => setTimeout(r, 1500));
  console.log('rows after timeout:', await t.sql('SELECT reference FROM payment_events'));
  await db.close();
  await t.stop();
});

test('2 overview with MySQL gone', async () => {
  const t = await startEngine({ config: { roles: ['api', 'writer'] } });
  const seen: unknown[] = [];
  const on = (e: unknown) => seen.push(e);
  process.on('unhandledRejection', on);
  await t.database.close();
  await t.engine.admin.overview(seconds(1)).catch((e) => console.log('overview:', e.message));
  await new Promise((r) => setTimeout(r, 300));
  process.off('unhandledRejection', on);
  console.log('unhandled', seen.length, String(seen[0]));
  await t.stop();
});

test('3 many products', async () => {
  const t = await startEngine({ config: { roles: ['api', 'writer'] } });
  // write products straight
  const one = await makeProduct(t, { holdTtlMs: 300, totalStock: 1000 });
  const fields = await t.redis.hgetall(`hf:{0}:product:${one.id}`);
  const N = 4200;
  const p = t.redis.pipeline();
  for (let i = 0; i < N; i++) { p.hset(`hf:{0}:product:${1e6 + i}`, fields); p.hset('hf:catalog', String(1e6 + i), '0'); }
  await p.exec();
  const r = await Promise.allSettled(Array.from({ length: N / 20 }, (_, k) => t.engine.hold({
    items: Array.from({ length: 20 }, (_, j) => ({ productId: 1e6 + k * 20 + j, qty: 1 })), buyer: '', key: '' }, seconds(5))));
  console.log(r.map((x) => x.status === 'fulfilled' ? x.value.status : String(x.reason)).reduce((m: any, s) => (m[s] = (m[s] ?? 0) + 1, m), {}));
  await new Promise((r) => setTimeout(r, 400));
  const { expireScript } = await import('../../src/redis/bindings/expire.ts');
  console.log(await expireScript.run(t.link.redis, 'hf:{0}:lane', t.link.gate(0)).catch((e) => e.message));
  await t.redis.flushdb();
  await t.stop();
});

test('4 lag after epoch change', async () => {
  const t = await startEngine({ config: { roles: ['api'] } });
  await t.redis.hset('hf:{0}:lane', 'position', '1-5');
  const lag = await watchLag(t.link.redis, t.database, 1);
  await t.sql('UPDATE lanes SET epoch = 2, sequence = 0');
  await t.redis.hset('hf:{0}:lane', 'position', '2-0', 'epoch', 2);
  await new Promise((r) => setTimeout(r, 1300));
  console.log('lag', lag.ofLane(0));
  lag.close();
  await t.redis.flushdb();
  await t.stop();
});
