import { expect } from 'vitest';
import type { Product } from '../../src/domain/product.ts';
import { held, ordered, pay } from '../support/buying.ts';
import { makeProduct, seconds, type TestEngine } from '../support/engine.ts';
import { eventually } from '../support/wait.ts';

/** A small sale with something in every state. */
export interface Planted {
  product: Product;
  live: string;
  pending: string;
  paid: string;
  released: string;
}

export async function soldSome(t: TestEngine): Promise<Planted> {
  const product = await makeProduct(t, { totalStock: 50, maxPerBuyer: 9, extendMs: 60_000 });
  const live = (await held(t, product, { qty: 2, buyer: 'ann' })).id;
  await t.engine.extend(live, seconds(2));
  const pending = await ordered(t, product, { buyer: 'bob' });
  const paid = await ordered(t, product, { qty: 3, buyer: 'eve' });
  await pay(t, paid);
  const released = (await held(t, product, { buyer: 'dan' })).id;
  await t.engine.release(released, seconds(2));
  // The last of it, and the journal has an order: the rest is there too.
  await eventually(async () => {
    const rows = await t.sql('SELECT state FROM holds WHERE id = ?', [`hold_${released}`]);
    expect(rows).toEqual([{ state: 'released' }]);
  });
  return { product, live, pending, paid, released };
}
