import { expect, test } from 'vitest';
import { makeProduct, seconds, startEngine } from '../support/engine.ts';

test('smoke', async () => {
  const t = await startEngine();
  const product = await makeProduct(t, { totalStock: 100 });
  console.log(product);
  const results = await Promise.all(
    Array.from({ length: 300 }, () =>
      t.engine.hold({ items: [{ productId: product.id, qty: 1 }], buyer: '', key: '' }, seconds(2)),
    ),
  );
  const held = results.flatMap((r) => (r.status === 'held' ? [r.hold] : []));
  expect(held.length).toBe(100);
  console.log(results.find((r) => r.status !== 'held'));
  const t0 = performance.now();
  const order = await t.engine.order(held[0].id, '', seconds(3));
  console.log(order, performance.now() - t0);
  const t1 = performance.now();
  const paid = await t.inbox.receive(
    { orderId: `order_${held[0].id}`, reference: 'pay-1', status: 'success' }, seconds(3));
  console.log(paid, performance.now() - t1);
  console.log(await t.inbox.receive(
    { orderId: `order_${held[0].id}`, reference: 'pay-1', status: 'success' }, seconds(3)));
  console.log(await t.engine.release(held[1].id, seconds(2)));
  console.log(await t.engine.readHold(held[1].id, seconds(2)));
  console.log(await t.engine.readHold(held[0].id, seconds(2)));
  console.log(await t.engine.readOrder(held[0].id, seconds(2)));
  console.log(JSON.stringify(await t.engine.admin.overview(seconds(2)), null, 1));
  console.log(await t.sql('select state, count(*) c from holds group by state'), await t.sql('select * from stock'), await t.ready());
  await t.stop();
});
