import { describe, expect, test } from 'vitest';
import { ReconcileBusy, type Reconciliation } from '../../src/recovery/reconcile/reconciliation.ts';
import { laneKey, productKey } from '../../src/redis/keys.ts';
import { expectBooksBalance } from '../support/books.ts';
import { hold } from '../support/buying.ts';
import { ownEngine, type TestEngine } from '../support/engine.ts';
import { eventually } from '../support/wait.ts';
import { DAMAGES } from './damages.ts';
import { soldSome } from './sold-some.ts';

// Nobody sweeps up behind the damage.
const engine = () =>
  ownEngine({ config: { roles: ['api', 'writer', 'expiry'] } }, expectBooksBalance);

const reconcile = (t: TestEngine, fixes: boolean): Promise<Reconciliation> =>
  t.reconcile({ productId: null, fixes, cause: 'command', isPaced: false });

const kindsOf = ({ findings }: Reconciliation) => [...new Set(findings.map(({ kind }) => kind))];

test('books that agree have no findings', async () => {
  const t = await engine();
  await soldSome(t);
  const run = await reconcile(t, false);
  expect(run.findings).toEqual([]);
  expect(run).toMatchObject({ drift: 0, found: 0, products: 1, reservations: 2 });
});

describe.each(DAMAGES)('$what', ({ kinds, left = [], plant }) => {
  test(`is found, repaired, and not found again: ${kinds.join(', ')}`, async () => {
    const t = await engine();
    const planted = await soldSome(t);
    await plant(t, planted);
    const found = await reconcile(t, false);
    expect(kindsOf(found).sort()).toEqual([...kinds].sort());
    expect(found.repaired).toBe(0);
    const fixed = await reconcile(t, true);
    const unrepaired = fixed.findings.filter(({ outcome }) => outcome !== 'repaired');
    expect(unrepaired.filter(({ kind }) => !left.includes(kind))).toEqual([]);
    expect((await reconcile(t, false)).findings).toEqual([]);
    await eventually(async () => expect(await t.redis.hget(laneKey(0), 'state')).toBe('open'));
    const again = { qty: 1, buyer: 'zoe' };
    await eventually(async () => {
      expect(await hold(t, planted.product, again)).toMatchObject({ status: 'held' });
    });
    expect((await t.sql('SELECT COUNT(*) AS n FROM dead_letters'))[0]?.n).toBe(0);
  });
});

test('a lane that drift has closed opens by itself once its books are repaired', async () => {
  const t = await engine();
  const { product } = await soldSome(t);
  await t.redis.hincrby(productKey(0, product.id), 'available', -3);
  await hold(t, product, { buyer: 'zoe' });
  await eventually(async () => expect(await t.redis.hget(laneKey(0), 'state')).toBe('closed'));
  const found = await reconcile(t, false);
  expect(kindsOf(found).sort()).toEqual(['lane', 'redis_disagrees']);
  const fixed = await reconcile(t, true);
  expect(fixed).toMatchObject({ found: 2, repaired: 2 });
  await eventually(async () => {
    expect(await hold(t, product, { buyer: 'zoe' })).toMatchObject({ status: 'held' });
  });
  const [drift] = await t.sql('SELECT * FROM drifts');
  expect(drift?.resolved_at).not.toBeNull();
});

test('two repairs at once: one is refused, nothing is repaired twice', async () => {
  const t = await engine();
  const { product } = await soldSome(t);
  await t.redis.hincrby(productKey(0, product.id), 'available', -3);
  await t.sql('UPDATE stock SET held = held + 1, available = available - 1');
  const runs = await Promise.allSettled([reconcile(t, true), reconcile(t, true)]);
  const refused = runs.filter(({ status }) => status === 'rejected');
  for (const run of refused) expect(run).toMatchObject({ reason: expect.any(ReconcileBusy) });
  expect(runs.length - refused.length).toBeGreaterThan(0);
  expect((await reconcile(t, false)).findings).toEqual([]);
});
