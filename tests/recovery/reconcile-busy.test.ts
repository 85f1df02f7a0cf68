import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { hold, pay } from '../support/buying.ts';
import { makeProduct, ownEngine, seconds, type TestEngine } from '../support/engine.ts';
import { DAMAGES } from './damages.ts';
import { soldSome } from './sold-some.ts';

const PER_SECOND = 2_000;
const TICK_MS = 10;

/** Buyers who go on at a steady rate until they are stopped: holds, of which some become orders. */
function startTraffic(t: TestEngine, products: { id: number }[]) {
  const startedAt = performance.now();
  const counts = { asked: 0, held: 0, ordered: 0 };
  const open = new Set<Promise<void>>();
  let isOver = false;

  const buy = async (index: number) => {
    const product = products[index % products.length] ?? { id: 0 };
    const outcome = await hold(t, product, { buyer: `buyer-${index}` });
    if (outcome.status !== 'held') return;
    counts.held += 1;
    const { id } = outcome.hold;
    if (index % 20 === 0) await t.engine.release(id, seconds(5));
    if (index % 40 !== 1) return;
    const order = await t.engine.order(id, '', seconds(5));
    if (order.status !== 'ordered') return;
    counts.ordered += 1;
    if (index % 80 === 1) await pay(t, id);
  };

  const run = (async () => {
    while (!isOver) {
      const due = ((performance.now() - startedAt) / 1_000) * PER_SECOND;
      for (; counts.asked < due; counts.asked += 1) {
        const buying = buy(counts.asked).catch(() => {});
        open.add(buying);
        void buying.finally(() => open.delete(buying));
      }
      await pause(TICK_MS);
    }
    await Promise.all(open);
  })();

  return {
    counts,
    stop: async () => {
      isOver = true;
      await run;
      return counts.asked / ((performance.now() - startedAt) / 1_000);
    },
  };
}

// One of each kind; reconcile.test.ts has them all. A queue that is gone comes back with the next
// doorbell, and a product that is gone sells nothing.
const seen = new Set(['queue', 'product_missing']);
const damages = DAMAGES.filter(({ kinds }) => {
  const isNew = kinds.every((kind) => !seen.has(kind));
  for (const kind of kinds) seen.add(kind);
  return isNew;
});

test('while 2,000 holds a second go on, damage is found and repaired, and nothing else is', async () => {
  // The lane goes on selling: all damage is met by the traffic.
  const config = { roles: ['api', 'writer', 'expiry'] as const, closesOnDrift: false };
  const t = await ownEngine({ config, openMs: 60_000 }, async () => undefined);
  const busy = await makeProduct(t, { totalStock: 1_000_000, holdTtlMs: 1_000, maxPerBuyer: 5 });
  const first = await soldSome(t);
  const traffic = startTraffic(t, [busy, busy, busy, first.product]);
  const reconcile = (fixes: boolean) =>
    t.reconcile({ productId: null, fixes, cause: 'command', isPaced: false });
  try {
    expect((await reconcile(false)).findings).toEqual([]);
    for (const [index, { what, kinds, left = [], plant }] of damages.entries()) {
      const planted = await soldSome(t);
      await plant(t, planted);
      const { findings } = await reconcile(true);
      const found = findings.map(({ kind }) => kind);
      // What follows from other damage is gone once that is repaired.
      expect(kinds, what).toEqual(expect.arrayContaining(found));
      expect(found.length, what).toBeGreaterThan(0);
      const unrepaired = findings.filter(({ outcome }) => outcome !== 'repaired');
      expect(
        unrepaired.filter(({ kind }) => !left.includes(kind)),
        what,
      ).toEqual([]);
      if (index % 4 === 3) expect((await reconcile(false)).findings, what).toEqual([]);
    }
  } finally {
    const perSecond = await traffic.stop();
    console.info(`${Math.round(perSecond)} holds/s, ${JSON.stringify(traffic.counts)}`);
  }
  expect(traffic.counts.held).toBeGreaterThan(2_000);
  expect((await reconcile(false)).findings).toEqual([]);
}, 180_000);
