import fc from 'fast-check';
import { pino } from 'pino';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { compose, type Holdfast } from '../../src/compose.ts';
import { Unavailable } from '../../src/domain/unavailable.ts';
import { expectBooksBalance } from '../support/books.ts';
import { held, hold, ordered, unique } from '../support/buying.ts';
import { makeProduct, ownEngine, seconds, type TestEngine } from '../support/engine.ts';
import { eventually } from '../support/wait.ts';
import { startWay, type Way } from '../support/way.ts';
import { anyMove, newCrowd } from './model/crowd.ts';
import { expectNoContradiction } from './model/crowd-checks.ts';

const log = pino({ level: 'silent' });
const PATIENCE_S = 0.3;

let t: TestEngine;
/** A process whose way to Redis and MySQL can be troubled; `t` has a way of its own. */
let troubled: Holdfast & { redisWay: Way; mysqlWay: Way };

async function startTroubled() {
  const [redisWay, mysqlWay] = [await startWay(t.redisUrl), await startWay(t.mysqlUrl)];
  const urls = { redisUrl: redisWay.url, mysqlUrl: mysqlWay.url };
  const holdfast = await compose({ config: t.config, log, ...urls, openMs: 200 });
  onTestFinished(async () => {
    await holdfast.close();
    await redisWay.close();
    await mysqlWay.close();
  });
  return { ...holdfast, redisWay, mysqlWay };
}

beforeEach(async () => {
  t = await ownEngine({}, expectBooksBalance);
  troubled = await startTroubled();
});

/** Lets the request of `call` arrive, and its answer get lost. */
async function withLostReply(call: () => Promise<unknown>): Promise<void> {
  troubled.redisWay.set('mute');
  await expect(call()).rejects.toThrow(Unavailable);
  troubled.redisWay.cut();
  troubled.redisWay.set('pass');
}

/** Asks again until there is an answer. */
const again = <T>(call: () => Promise<T>) => eventually(call);

test('a hold whose reply was lost is told again under its key, and held once', async () => {
  const product = await makeProduct(t, { totalStock: 5 });
  const items = [{ productId: product.id, qty: 2 }];
  const request = { items, buyer: '', key: unique('key') };
  await held(troubled, product, { key: unique('warm') });
  await withLostReply(() => troubled.engine.hold(request, seconds(PATIENCE_S)));
  const first = await again(() => troubled.engine.hold(request, seconds(1)));
  const second = await t.engine.hold(request, seconds(1));
  expect(first).toMatchObject({ status: 'held' });
  expect(second).toEqual(first);
  expect(await t.engine.readProduct(product.id, seconds(1))).toMatchObject({ held: 3 });
});

test('an order whose reply was lost is the first answer under its key, else hold_used', async () => {
  const product = await makeProduct(t);
  const [keyed, bare] = [await held(troubled, product), await held(troubled, product)];
  const key = unique('key');
  await withLostReply(() => troubled.engine.order(keyed.id, key, seconds(PATIENCE_S)));
  const order = () => troubled.engine.order(keyed.id, key, seconds(2));
  expect(await again(order)).toMatchObject({ status: 'ordered', order: { id: keyed.id } });
  await withLostReply(() => troubled.engine.order(bare.id, '', seconds(PATIENCE_S)));
  const outcome = await again(() => troubled.engine.order(bare.id, '', seconds(2)));
  expect(outcome).toEqual({ status: 'hold_used', orderId: `order_${bare.id}` });
});

test('a payment whose reply was lost takes effect once', async () => {
  const product = await makeProduct(t, { totalStock: 1 });
  const id = await ordered(troubled, product);
  const event = { orderId: `order_${id}`, reference: unique('pay'), status: 'success' } as const;
  await withLostReply(() => troubled.inbox.receive(event, seconds(PATIENCE_S)));
  const outcome = await again(() => troubled.inbox.receive(event, seconds(2)));
  expect(outcome).toMatchObject({ orderState: 'paid' });
  const paid = { status: 'duplicate', outcome: 'applied', orderState: 'paid' };
  expect(await t.inbox.receive(event, seconds(2))).toEqual(paid);
  const other = { ...event, reference: unique('pay') };
  expect(await t.inbox.receive(other, seconds(2))).toMatchObject({ status: 'refund_due' });
});

test('a release whose reply was lost is released', async () => {
  const product = await makeProduct(t, { totalStock: 1 });
  const { id } = await held(troubled, product);
  await withLostReply(() => troubled.engine.release(id, seconds(PATIENCE_S)));
  const outcome = await again(() => troubled.engine.release(id, seconds(1)));
  expect(outcome).toMatchObject({ status: 'released' });
  expect(await hold(t, product)).toMatchObject({ status: 'held' });
});

test('what is under way fails with its connection, not at its own deadline', async () => {
  const product = await makeProduct(t);
  await held(troubled, product);
  troubled.redisWay.set('mute');
  const holding = troubled.engine.hold(
    { items: [{ productId: product.id, qty: 1 }], buyer: '', key: '' },
    seconds(60),
  );
  await eventually(async () => {
    expect(await t.engine.readProduct(product.id, seconds(1))).toMatchObject({ held: 2 });
  });
  troubled.redisWay.cut();
  await expect(holding).rejects.toThrow(/max retries|closed/);
  troubled.redisWay.set('pass');
  expect(await again(() => hold(troubled, product))).toMatchObject({ status: 'held' });
});

test('connections that go silent without a word are given up and made again', async () => {
  const product = await makeProduct(t, { totalStock: 100 });
  const buy = async () => {
    const { id } = await held(troubled, product);
    return troubled.engine.order(id, '', seconds(3));
  };
  expect(await buy()).toMatchObject({ status: 'ordered' });
  troubled.redisWay.swallow();
  await expect(
    troubled.engine.hold(
      { items: [{ productId: product.id, qty: 1 }], buyer: '', key: '' },
      seconds(PATIENCE_S),
    ),
  ).rejects.toThrow(Unavailable);
  // TCP alone would take a quarter of an hour.
  expect(await eventually(buy, 15_000)).toMatchObject({ status: 'ordered' });
});

test('a process that lost both servers still closes', async () => {
  const product = await makeProduct(t);
  await held(troubled, product);
  for (const way of [troubled.redisWay, troubled.mysqlWay]) {
    way.set('refuse');
    way.cut();
  }
  await troubled.close();
});

// Cuts, mutes and stalls the four ways by turns, until told to stop.
async function sabotage(ways: Way[], isOver: () => boolean): Promise<void> {
  const rest = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
  const kinds = ['cut', 'mute', 'stall', 'mute and cut'] as const;
  for (let turn = 0; !isOver(); turn += 1) {
    const [way, kind] = [ways[turn % ways.length], kinds[turn % 3 === 0 ? 0 : turn % kinds.length]];
    await rest(40);
    if (kind !== 'cut') {
      way?.set(kind === 'stall' ? 'stall' : 'mute');
      await rest(100);
    }
    if (kind === 'cut' || kind === 'mute and cut') way?.cut();
    way?.set('pass');
  }
}

test('clients that act while connections break are never told what is not so', async () => {
  const other = await startTroubled();
  const crowd = await newCrowd(t, 'troubled');
  let unknown = 0;
  const moves = fc.sample(fc.array(anyMove, { minLength: 25, maxLength: 25 }), 16);
  const clients = moves.map(async (own, at) => {
    for (const move of own) {
      await crowd.client(at % 2 === 0 ? troubled : other, [move]).catch((error) => {
        // Anything else would be a claim, and a wrong one.
        expect(error).toBeInstanceOf(Unavailable);
        unknown += 1;
      });
    }
  });
  let isOver = false;
  const { redisWay, mysqlWay } = troubled;
  const ways = [redisWay, mysqlWay, other.redisWay, other.mysqlWay];
  const sabotaging = sabotage(ways, () => isOver);
  await Promise.all(clients).finally(() => {
    isOver = true;
  });
  await sabotaging;
  expect(unknown).toBeGreaterThan(0);
  expect(crowd.exchanges.length).toBeGreaterThan(0);
  await expectBooksBalance(t);
  await expectNoContradiction(t, crowd, false);
});
