import { expect, test } from 'vitest';
import { appOn, clientOf } from '../http/support.ts';
import { drained, expectBooksBalance } from '../support/books.ts';
import { held, ordered } from '../support/buying.ts';
import { makeProduct, ownEngine } from '../support/engine.ts';
import { captureLog } from '../support/log.ts';
import { eventually } from '../support/wait.ts';

test('P6: a Holdfast that runs compares its books by itself, and tells until they agree', async () => {
  const { log, lines, errors } = captureLog();
  const t = await ownEngine({ log, config: { reconcileEveryMs: 1_000 } }, expectBooksBalance);
  const client = clientOf(appOn(t));
  const newest = async () => (await client.admin('GET', '/overview')).body.reconciliation;
  const product = await makeProduct(t);
  await held(t, product);
  await ordered(t, product);
  await drained(t);
  await eventually(async () => expect(await newest()).toMatchObject({ drift: 0, found: 0 }));
  expect(errors()).toEqual([]);

  await t.sql('UPDATE stock SET available = available + 3, held = held - 3');
  await eventually(() => {
    expect(errors()).toContainEqual(
      expect.objectContaining({ kind: 'stock_disagrees', product: product.id }),
    );
  });
  const text = (await t.metrics.read()).text;
  expect(text).toMatch(/^holdfast_findings\{kind="stock_disagrees"\} 1$/m);
  expect(text).toMatch(/^holdfast_reconciliation_drift_units [1-9]/m);
  const { findings } = (
    (await client.admin('GET', '/reconciliations')).body.reconciliations as {
      findings: object[];
    }[]
  )[0] ?? { findings: [] };
  expect(findings).toContainEqual(
    expect.objectContaining({ product_id: product.id, outcome: 'left' }),
  );

  const fixing = await client.admin('POST', '/reconciliations', { fix: true });
  expect(fixing.body.repaired).toBeGreaterThan(0);
  await eventually(async () => expect(await newest()).toMatchObject({ drift: 0, found: 0 }));
  await eventually(() => {
    expect(lines.map(({ msg }) => msg)).toContain('findings are gone');
  });
});

test('with RECONCILE_SECONDS=0 nothing is compared by itself', async () => {
  const t = await ownEngine({ config: { reconcileEveryMs: 0 } }, expectBooksBalance);
  expect(await t.redis.keys('*bull:reconcile*')).toEqual([]);
  const { status, body } = await clientOf(appOn(t)).admin('POST', '/reconciliations', {});
  expect(status).toBe(200);
  expect(body).toMatchObject({ drift: 0, findings: [], cause: 'request' });
  const unknown = await clientOf(appOn(t)).admin('POST', '/reconciliations', { product_id: 99 });
  expect(unknown.status).toBe(404);
});
