import { expect, test } from 'vitest';
import { drained, expectBooksBalance } from '../support/books.ts';
import { held, ordered, pay } from '../support/buying.ts';
import { makeProduct, ownEngine, seconds, type TestEngine } from '../support/engine.ts';
import { holdfast } from '../support/process.ts';

const nothing = async () => undefined;
const LONG = `pay-${'0123456789'.repeat(12)}`;

// Redis is not needed: there is none at this address.
const run = (t: TestEngine, ...args: string[]) =>
  holdfast(['show', ...args], { REDIS_URL: 'redis://127.0.0.1:1', MYSQL_URL: t.mysqlUrl });

const widest = (text: string) => Math.max(...text.split('\n').map((line) => line.length));

test('people get the whole life of an order, within 80 columns', async () => {
  const t = await ownEngine({}, expectBooksBalance);
  const product = await makeProduct(t, { name: `Lamp ${'of much light '.repeat(6)}` });
  const buyer = `${'a.b_c:d-e@'.repeat(6)}.:@-`;
  const id = await ordered(t, product, { buyer, qty: 2 });
  await pay(t, id, 'failed', 'pay-1');
  await pay(t, id, 'success', LONG);
  const { code, stdout, stderr } = await run(t, `order_${id}`);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(widest(stdout)).toBeLessThanOrEqual(80);
  expect(stdout).toMatch(new RegExp(`^hold +hold_${id}\nstatus +ordered\nbuyer +${buyer}$`, 'm'));
  expect(stdout).toMatch(new RegExp(`^order +order_${id}\nstatus +paid\namount +39.80 USD$`, 'm'));
  const line = (version: number, state: string, cause: string) =>
    new RegExp(`^${version} +\\d{4}-\\S+Z +${state} +1-\\d+ +${cause} *$`, 'm');
  expect(stdout).toMatch(line(1, 'held', 'hold request'));
  expect(stdout).toMatch(line(2, 'pending', 'order request'));
  expect(stdout).toMatch(line(3, 'cancelled', 'payment pay-1 failed'));
  expect(stdout).toMatch(line(4, 'paid', 'payment'));
  expect(stdout).toMatch(/^pay-1 +failed +\S+Z +applied +cancelled *$/m);
  expect(stdout).not.toContain('HISTORY');
});

test('by the hold, the order or the payment, machines get the same JSON', async () => {
  const t = await ownEngine({}, expectBooksBalance);
  const id = await ordered(t, await makeProduct(t));
  await pay(t, id, 'success', LONG);
  const { code, stdout } = await run(t, LONG, '--json');
  expect(code).toBe(0);
  for (const name of [`hold_${id}`, `order_${id}`]) {
    expect((await run(t, name, '--json')).stdout).toBe(stdout);
  }
  expect(JSON.parse(stdout)).toMatchObject({
    ...{ hold_id: `hold_${id}`, order_id: `order_${id}`, complete: true },
    transitions: [{ to: 'held' }, { to: 'pending' }, { to: 'paid', reference: LONG }],
    payments: [{ reference: LONG, outcome: 'applied' }],
  });
});

test('a hold that was given back has no order', async () => {
  const t = await ownEngine({}, expectBooksBalance);
  const { id } = await held(t, await makeProduct(t));
  await t.engine.release(id, seconds(5));
  await drained(t);
  const { code, stdout } = await run(t, `hold_${id}`);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^status +released\nbuyer +-$/m);
  expect(stdout).toMatch(/ released +1-\d+ +released on request *$/m);
  expect(stdout).not.toMatch(/^(order|payments|dead)/m);
});

test('with HISTORY=last it says that only the last state is known', async () => {
  const t = await ownEngine({ config: { keepsHistory: false } }, expectBooksBalance);
  const id = await ordered(t, await makeProduct(t));
  const { code, stdout } = await run(t, `order_${id}`);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^status +pending$/m);
  expect(stdout).toMatch(/^0 of 2 transitions were kept\. .*HISTORY=last/m);
  expect(widest(stdout)).toBeLessThanOrEqual(80);
});

test('a payment of an order that nobody knows cannot steer the terminal', async () => {
  const t = await ownEngine({}, nothing);
  const event = {
    orderId: 'order_\u001b]0;x\u0007\n',
    reference: 'early',
    status: 'success' as const,
  };
  await t.inbox.receive(event, seconds(5));
  const { code, stdout } = await run(t, 'early');
  expect(code).toBe(0);
  expect(stdout).toMatch(/^early +success +\S+Z +open +unknown:/m);
  expect(stdout).toMatch(/^[\x20-\x7e\n]+$/);
  expect(stdout).toContain('order_?]0;');
});

test.for(['hold_01jzc0000000000000000000000', 'pay-1', 'lamp', 'é', ''])(
  '%j is unknown: exit code 1',
  async (id) => {
    const t = await ownEngine({}, nothing);
    const { code, stdout, stderr } = await run(t, id);
    expect(stderr).toBe(
      `holdfast: MySQL knows no hold, order or payment "${id}". What was made just now may be in ` +
        'Redis only: see outbox status\n',
    );
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  },
);

test('without an id it is wrong usage, without MySQL exit code 3', async () => {
  expect(await holdfast(['show'], {})).toMatchObject({ code: 2 });
  const nowhere = { REDIS_URL: 'redis://127.0.0.1:1', MYSQL_URL: 'mysql://root@127.0.0.1:1/x' };
  const { code, stderr } = await holdfast(['show', 'pay-1'], nowhere);
  expect(code).toBe(3);
  expect(stderr).toMatch(/^holdfast: MySQL \(history\): .*ECONNREFUSED/);
});
