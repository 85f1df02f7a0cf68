import { expect, test } from 'vitest';
import { historyAnswer } from '../../src/http/history-answer.ts';
import { drained, expectBooksBalance } from '../support/books.ts';
import { held, ordered, pay, unique } from '../support/buying.ts';
import { makeProduct, ownEngine, seconds, type TestEngine } from '../support/engine.ts';
import { undrainedEngine } from '../support/undrained.ts';
import { eventually } from '../support/wait.ts';
import { appOn, clientOf, expectProblem, unknownIds } from './support.ts';

const nothing = async () => undefined;

const historyOf = (t: TestEngine, id: string) =>
  clientOf(appOn(t)).admin('GET', `/history/${encodeURIComponent(id)}`);

/** A history that must be there, and as the OpenAPI document says. */
async function history(t: TestEngine, id: string) {
  const { status, body } = await historyOf(t, id);
  expect(status).toBe(200);
  const parsed = historyAnswer.parse(body);
  expect(parsed).toEqual(body);
  return parsed;
}

/** Steps in short: what became of it, and why. */
const stepsOf = ({ transitions }: Awaited<ReturnType<typeof history>>) =>
  transitions.map(({ version, from, to, cause }) => `${version} ${from} > ${to}: ${cause}`);

test('a whole life is told, in order, and survives the loss of Redis', async () => {
  const t = await ownEngine({}, expectBooksBalance);
  const product = await makeProduct(t);
  const other = await makeProduct(t, { name: 'Desk', priceMinor: 9_900 });
  const items = [
    { productId: product.id, qty: 2 },
    { productId: other.id, qty: 1 },
  ];
  const id = await ordered(t, items, { buyer: 'Ann.O_x:1-@home' });
  const [failed, late, third] = [unique('failed'), unique('late'), unique('third')];
  await pay(t, id, 'failed', failed);
  await pay(t, id, 'success', late);
  await pay(t, id, 'success', third);
  const told = await history(t, `order_${id}`);
  expect(stepsOf(told)).toEqual([
    '1 none > held: hold request',
    '2 held > pending: order request',
    `3 pending > cancelled: payment ${failed} failed`,
    `4 cancelled > paid: payment ${late}`,
  ]);
  const rows = await t.sql('SELECT * FROM transitions ORDER BY version');
  expect(told.transitions).toMatchObject(
    rows.map((row) => ({ at: row.at.toISOString(), position: `${row.epoch}-${row.sequence}` })),
  );
  const whom = { buyer: 'Ann.O_x:1-@home', amount: '138.80', currency: 'USD', lane: 0 };
  expect(told).toMatchObject({
    ...{ hold_id: `hold_${id}`, order_id: `order_${id}`, complete: true, transition_count: 4 },
    hold: { hold_id: `hold_${id}`, status: 'ordered', version: 2, ...whom },
    order: { order_id: `order_${id}`, status: 'paid', version: 4, reference: late, ...whom },
    items: [
      { product_id: product.id, name: 'Lamp', qty: 2, price: '19.90' },
      { product_id: other.id, name: 'Desk', qty: 1, price: '99.00' },
    ],
    payments: [
      { reference: failed, status: 'failed', outcome: 'applied', order_status: 'cancelled' },
      { reference: late, status: 'success', outcome: 'applied', order_status: 'paid' },
      { reference: third, status: 'success', outcome: 'refund_due', order_status: 'paid' },
    ],
    dead_letters: [],
  });
  await t.redis.flushdb();
  await eventually(async () => expect((await t.ready()).ok).toBe(true));
  await t.lanes.rebuild(0, false);
  for (const name of [`hold_${id}`, `order_${id}`, failed, late, third]) {
    expect(await history(t, name), name).toEqual(told);
  }
});

test('a release, an extension, a cancellation and deadlines are told apart', async () => {
  const t = await ownEngine({}, expectBooksBalance);
  const product = await makeProduct(t);
  const short = await makeProduct(t, { holdTtlMs: 100, payTtlMs: 100 });
  const { id } = await held(t, product);
  await t.engine.release(id, seconds(5));
  const longer = await makeProduct(t, { extendMs: 5_000 });
  const extended = await held(t, longer);
  await t.engine.extend(extended.id, seconds(5));
  const cancelled = await ordered(t, product);
  await t.engine.cancel(cancelled, seconds(5));
  const expired = await held(t, short);
  await drained(t);
  expect(stepsOf(await history(t, `hold_${id}`)).at(-1)).toBe(
    '2 held > released: released on request',
  );
  expect(await history(t, `hold_${id}`)).toMatchObject({ order_id: null, order: null });
  expect(stepsOf(await history(t, `hold_${extended.id}`))).toEqual([
    '1 none > held: hold request',
    '2 held > held: extended on request',
  ]);
  expect(stepsOf(await history(t, `hold_${cancelled}`)).at(-1)).toBe(
    '3 pending > cancelled: cancelled on request',
  );
  await eventually(async () =>
    expect(stepsOf(await history(t, `hold_${expired.id}`)).at(-1)).toBe(
      '2 held > expired: deadline passed',
    ),
  );
});

test('a hold that a rebuild cancelled says so', async () => {
  const { t, product } = await undrainedEngine(nothing);
  const { id } = await held(t, product, { qty: 3 });
  await t.drain(0);
  await t.sql('UPDATE stock SET total = 2, available = -1');
  await t.lanes.rebuild(0, false);
  const { transitions, complete } = await history(t, `hold_${id}`);
  expect(transitions.at(-1)).toMatchObject({ to: 'expired', cause: 'rebuild', position: null });
  expect(complete).toBe(true);
});

test('with HISTORY=last only the last state is known, and the answer says so', async () => {
  const t = await ownEngine({ config: { keepsHistory: false } }, expectBooksBalance);
  const id = await ordered(t, await makeProduct(t));
  expect(await history(t, `order_${id}`)).toMatchObject({
    ...{ transitions: [], complete: false, transition_count: 2 },
    order: { status: 'pending', version: 2 },
  });
  // What comes once it is switched on is kept.
  await t.close();
  const next = await t.another({ config: { keepsHistory: true } });
  await pay(next, id, 'success', 'now-kept');
  expect(await history({ ...t, ...next }, `order_${id}`)).toMatchObject({
    ...{ complete: false, transition_count: 3 },
    transitions: [{ version: 3, from: 'pending', to: 'paid', cause: 'payment now-kept' }],
  });
});

test('what waits as a dead letter is told, also where no row took the hold itself', async () => {
  const { t, product } = await undrainedEngine(nothing);
  const { id } = await held(t, product);
  await t.sql('INSERT INTO hold_items VALUES (?, ?, 1, 1)', [`hold_${id}`, product.id]);
  await t.drain(0);
  const [letter] = await t.sql('SELECT * FROM dead_letters');
  expect(await history(t, `hold_${id}`)).toMatchObject({
    ...{ hold: null, transitions: [], complete: true },
    dead_letters: [
      {
        ...{ position: `${letter?.epoch}-${letter?.sequence}`, ordinal: 0, kind: 'reservation' },
        error: expect.stringContaining('Duplicate entry'),
        at: letter?.at.toISOString(),
      },
    ],
  });
});

test('a payment is found by its reference, whatever that is and whichever order it names', async () => {
  const t = await ownEngine({}, nothing);
  const id = await ordered(t, await makeProduct(t));
  const odd = `a/b?c#d%20e'"\\;--${'x'.repeat(100)}`;
  await pay(t, id, 'success', odd);
  expect(await history(t, odd)).toMatchObject({ order_id: `order_${id}` });
  // Of an order that may come, and of none at all.
  const nobodys = `order_${id.slice(0, -1)}0`;
  for (const orderId of [nobodys, 'ORDER \u001b[2J é', `ORDER_${id.toUpperCase()}`]) {
    const reference = unique('early');
    const event = { orderId, reference, status: 'success' as const };
    await t.inbox.receive(event, seconds(5));
    expect(await history(t, reference)).toMatchObject({
      ...{ hold: null, order: null, order_id: null, items: [], transitions: [] },
      payments: [{ reference, order_id: orderId, outcome: null, decided_at: null }],
    });
  }
  expect((await history(t, nobodys)).payments).toHaveLength(1);
  expect((await history(t, `order_${id}`)).payments).toHaveLength(1);
});

test('an id that MySQL does not know is no history', async () => {
  const t = await ownEngine({}, nothing);
  await makeProduct(t);
  for (const id of [...unknownIds('hold'), ...unknownIds('order'), 'pay-1', '%F0%9F%92%A5']) {
    const path = `/history/${id}`;
    expectProblem(await clientOf(appOn(t)).admin('GET', path), 'history_not_found');
  }
});

test('without MySQL it is unavailable', async () => {
  const t = await ownEngine({}, nothing);
  await t.database.close();
  expectProblem(await historyOf(t, 'pay-1'), 'unavailable');
});
