import { expect, test } from 'vitest';
import type { JournalEntry } from '../../src/domain/journal.ts';
import { parseJournalEntry } from '../../src/domain/parse-journal.ts';
import { outboxKey } from '../../src/redis/keys.ts';
import { drained, expectBooksBalance } from '../support/books.ts';
import { atOnce, held, hold, ordered, pay } from '../support/buying.ts';
import { makeProduct, ownEngine, seconds, type TestEngine } from '../support/engine.ts';
import { eventually } from '../support/wait.ts';

type Row = Record<string, unknown>;

/** Plays the journal one event at a time; the writer folds it in batches. */
function rowsOf(entries: readonly JournalEntry[]) {
  const [holds, orders] = [new Map<string, Row>(), new Map<string, Row>()];
  const [items, receipts] = [new Map<string, Row>(), new Map<string, Row>()];
  for (const { reservations, outcomes, ...entry } of entries) {
    const at = new Date(entry.atMs);
    for (const event of reservations) {
      const { id, from, to, version, buyer, currency, key, fingerprint } = event;
      const shared = { lane: 0, version, buyer, amount_minor: event.amountMinor, currency };
      if (from === 'none') {
        holds.set(`hold_${id}`, {
          ...{ id: `hold_${id}`, ...shared, state: 'held', counted: Number(event.counted) },
          ...{ idempotency_key: key, fingerprint, ended_at: null, created_at: at },
          expires_at: new Date(event.deadlineMs),
        });
        for (const [index, { productId, qty }] of event.items.entries()) {
          const price = event.pricesMinor[index];
          const row = { hold_id: `hold_${id}`, product_id: productId, qty, price_minor: price };
          items.set(`${id}${productId}`, row);
        }
      } else if (to === 'held') {
        const expires_at = new Date(event.deadlineMs);
        Object.assign(holds.get(`hold_${id}`) ?? {}, { version, expires_at });
      } else if (from === 'held') {
        const state = to === 'pending' ? 'ordered' : to;
        Object.assign(holds.get(`hold_${id}`) ?? {}, { state, version, ended_at: at });
      }
      if (to === 'pending') {
        orders.set(`order_${id}`, {
          ...{ id: `order_${id}`, hold_id: `hold_${id}`, ...shared, state: 'pending' },
          ...{
            counted: Number(event.counted),
            idempotency_key: key,
            reference: null,
            created_at: at,
            settled_at: null,
            refunded_at: null,
          },
          pay_by: new Date(event.deadlineMs),
        });
      } else if (from !== 'held' && from !== 'none') {
        const reference = event.reference || null;
        const counted = Number(event.counted);
        const settled = { state: to, version, counted, reference, settled_at: at };
        Object.assign(orders.get(`order_${id}`) ?? {}, settled);
      }
    }
    for (const { reference, outcome, orderState } of outcomes) {
      if (receipts.has(reference)) continue;
      receipts.set(reference, { reference, outcome, order_state: orderState, decided_at: at });
    }
  }
  return { holds, orders, items, receipts };
}

async function someOfEverything(t: TestEngine): Promise<void> {
  const [one, two] = [
    await makeProduct(t, { extendMs: 5_000 }),
    await makeProduct(t, { maxPerBuyer: 9 }),
  ];
  const short = await makeProduct(t, { holdTtlMs: 200, payTtlMs: 200, totalStock: 4 });
  const both = [one, two].map(({ id }) => ({ productId: id, qty: 2 }));
  await held(t, both, { buyer: 'ann', key: 'k-1' });
  await held(t, short, { qty: 1 });
  const late = await ordered(t, short, { qty: 3 });
  const { id: released } = await held(t, one, { buyer: 'bob' });
  await t.engine.release(released, seconds(2));
  const [paid, failed, cancelled] = await atOnce(3, () => ordered(t, two, { buyer: 'ann' }));
  const extended = await atOnce(2, () => held(t, one));
  for (const { id } of extended) await t.engine.extend(id, seconds(5));
  await t.engine.order(extended[0]?.id ?? '', 'k-2', seconds(5));
  await pay(t, paid ?? '');
  await pay(t, paid ?? '', 'failed');
  await pay(t, failed ?? '', 'failed');
  await pay(t, cancelled ?? '', 'success', 'ref|with|bars');
  await t.engine.admin.adjustStock(one.id, 5, 'delivery', seconds(5));
  await eventually(async () => {
    expect(await t.engine.readOrder(late, seconds(2))).toMatchObject({ state: 'expired' });
  });
  await hold(t, short, { qty: 2 });
  await pay(t, late);
}

test('P6: rows say what the journal says, and the stock is its last counters', async () => {
  const t = await ownEngine({ keepMs: 3_600_000 }, expectBooksBalance);
  await someOfEverything(t);
  await drained(t);
  const stream = await t.redis.xrange(outboxKey(0), '-', '+');
  const entries = stream.map(([id, fields]) => parseJournalEntry(id, fields));
  const expected = rowsOf(entries);
  const sorted = (rows: Map<string, Row>) => [...rows].sort().map(([, row]) => row);
  expect(await t.sql('SELECT * FROM holds ORDER BY id')).toEqual(sorted(expected.holds));
  expect(await t.sql('SELECT * FROM orders ORDER BY id')).toEqual(sorted(expected.orders));
  expect(await t.sql('SELECT * FROM hold_items ORDER BY hold_id, product_id')).toEqual(
    sorted(expected.items),
  );
  const receipts = await t.sql(
    'SELECT reference, outcome, order_state, decided_at FROM payment_events ORDER BY reference',
  );
  expect(receipts).toEqual(sorted(expected.receipts));
  expect(receipts.map(({ outcome }) => outcome)).toEqual(
    expect.arrayContaining(['applied', 'ignored', 'refund_due']),
  );
  for (const { product_id, lane: _, epoch, sequence, ...counters } of await t.sql(
    'SELECT * FROM stock',
  )) {
    const last = entries.findLast((entry) => entry.counters.has(product_id));
    expect(counters).toEqual(last?.counters.get(product_id));
    expect([epoch, sequence]).toEqual([1, last?.sequence]);
  }
});

test('keys and references with any visible character are stored as they are', async () => {
  const t = await ownEngine({}, expectBooksBalance);
  const product = await makeProduct(t);
  const visible = String.fromCharCode(...Array.from({ length: 94 }, (_, index) => 33 + index));
  const odd = ["');DELETE FROM holds;--", "'?'", '\\', "\\'", '$&$1', '""', '??', visible];
  for (const key of odd) {
    const { id } = await held(t, product, { key });
    await t.engine.order(id, key, seconds(5));
    await pay(t, id, 'success', `pay${key}`);
  }
  await drained(t);
  const keys = await t.sql('SELECT idempotency_key AS value FROM holds');
  const orderKeys = await t.sql('SELECT idempotency_key AS value FROM orders');
  const references = await t.sql('SELECT reference AS value FROM orders');
  const valuesOf = (rows: Row[]) => rows.map(({ value }) => value).sort();
  expect(valuesOf(keys)).toEqual([...odd].sort());
  expect(valuesOf(orderKeys)).toEqual([...odd].sort());
  expect(valuesOf(references)).toEqual(odd.map((key) => `pay${key}`).sort());
});
