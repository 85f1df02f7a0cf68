import { Queue } from 'bullmq';
import { query } from '../../db/client.ts';
import {
  listContradictedReceipts,
  listForgottenAdjustments,
  listForgottenReceipts,
  listWaiting,
} from '../../db/open-work.ts';
import { Deadline, within } from '../../domain/deadline.ts';
import { holdId } from '../../domain/ids.ts';
import { expireScript } from '../../redis/bindings/expire.ts';
import { bullConnection } from '../../redis/client.ts';
import { BULL_PREFIX, dueKey, laneKey } from '../../redis/keys.ts';
import { DRAIN_QUEUE } from '../../writer/doorbell.ts';
import type { Books } from './books.ts';

const LIMIT_MS = 10_000;
const QUEUE_LIMIT_MS = 3_000;
/** Ten times as long as units take to come back with nobody asking. */
const OVERDUE_MS = 10_000;

async function reconcileReceipts(books: Books): Promise<void> {
  const { database, inbox, openMs } = books.parts;
  const before = new Date(Date.now() - openMs);
  const reading = listForgottenReceipts(database, before);
  for (const event of await query(new Deadline(LIMIT_MS), 'receipts', reading)) {
    await books.note({
      kind: 'receipt_open',
      lane: null,
      productId: null,
      id: event.reference,
      expected: `an outcome for ${event.orderId}`,
      found: null,
      units: 0,
      repair: 'let the payment act on its order',
      fix: async () => {
        const outcome = await inbox.settleOpen(event, new Deadline(LIMIT_MS));
        return !/^order_not_(found|paid)$/.test(outcome.status);
      },
    });
  }
  const contradicting = query(
    new Deadline(LIMIT_MS),
    'receipts',
    listContradictedReceipts(database),
  );
  for (const { reference, orderId, state, lane } of await contradicting) {
    await books.note({
      kind: 'receipt_disagrees',
      lane,
      productId: null,
      id: reference,
      expected: `${orderId} paid`,
      found: state ?? null,
      units: 0,
      repair: `find out who changed it: "holdfast show ${orderId}"`,
    });
  }
}

async function reconcileAdjustments(books: Books): Promise<void> {
  const { database, engine, openMs } = books.parts;
  const before = new Date(Date.now() - openMs);
  const reading = query(
    new Deadline(LIMIT_MS),
    'adjustments',
    listForgottenAdjustments(database, before),
  );
  for (const { productId, lane, key, delta } of await reading) {
    if (!books.concerns([{ productId }])) continue;
    await books.note({
      kind: 'adjustment_open',
      lane,
      productId,
      id: key,
      expected: `${delta > 0 ? '+' : ''}${delta} units`,
      found: null,
      units: Math.abs(delta),
      repair: 'make the adjustment now',
      fix: async () => {
        const limit = new Deadline(LIMIT_MS);
        const { status } = await engine.admin.adjustStock(productId, delta, key, limit);
        return status === 'adjusted';
      },
    });
  }
}

async function reconcileQueue(books: Books): Promise<void> {
  const connection = bullConnection(books.parts.redisUrl, 'queue', () => true);
  const { redis } = books.parts.link;
  const meta = `${BULL_PREFIX}:${DRAIN_QUEUE}:meta`;
  const isThere = (await books.ask('queue', redis.exists(meta))) === 1;
  if (isThere) return;
  await books.note({
    kind: 'queue',
    lane: null,
    productId: null,
    id: DRAIN_QUEUE,
    expected: `the keys of BullMQ under ${BULL_PREFIX}`,
    found: null,
    units: 0,
    repair: 'make the queue again; until then writers drain once a second',
    fix: async () => {
      const queue = new Queue(DRAIN_QUEUE, {
        prefix: BULL_PREFIX,
        connection,
        skipVersionCheck: true,
      });
      queue.on('error', () => {});
      try {
        await within(new Deadline(QUEUE_LIMIT_MS), 'BullMQ', queue.waitUntilReady());
        await within(new Deadline(QUEUE_LIMIT_MS), 'BullMQ', queue.resume());
        return (await books.ask('queue', redis.exists(meta))) === 1;
      } finally {
        await queue.close();
      }
    },
  });
}

/** What is not of a single lane: payments, adjustments, the queue. */
export async function reconcileWork(books: Books): Promise<void> {
  await books.step('work', 0, 1);
  // Of one product, nothing is looked at that may be of others.
  if (books.request.productId === null) await reconcileReceipts(books);
  await reconcileAdjustments(books);
  if (books.request.productId === null) await reconcileQueue(books);
  await books.step('work', 1, 1);
}

async function expire(books: Books, lane: number): Promise<boolean> {
  const { link } = books.parts;
  for (;;) {
    const gate = await books.gate(lane);
    const expiring = expireScript.run(link.redis, laneKey(lane), gate);
    const reply = await books.ask('expire', expiring);
    if (reply.status !== 'expired') return false;
    books.parts.ring(lane);
    if (!reply.more) return true;
  }
}

async function reconcileOverdue(books: Books, lane: number): Promise<void> {
  const { redis } = books.parts.link;
  // While a lane is closed nothing expires there, and a finding of its own says so.
  if ((await books.ask('lane', redis.hget(laneKey(lane), 'state'))) !== 'open') return;
  const [seconds] = await books.ask('time', redis.time());
  const limit = Number(seconds) * 1_000 - OVERDUE_MS;
  const count = await books.ask('index', redis.zcount(dueKey(lane), '-inf', limit));
  if (count === 0) return;
  await books.note({
    kind: 'overdue',
    lane,
    productId: null,
    id: '',
    expected: 0,
    found: count,
    units: 0,
    repair: 'give their units back; is a process with the role expiry at work?',
    fix: () => expire(books, lane),
  });
}

async function reconcileDeadLetters(books: Books, lane: number): Promise<void> {
  const reading = listWaiting(books.parts.database, lane);
  for (const { reservation, letters, error } of await query(
    new Deadline(LIMIT_MS),
    'dead letters',
    reading,
  )) {
    await books.note({
      kind: 'dead_letter',
      lane,
      productId: null,
      id: reservation === '' ? '' : holdId(reservation),
      expected: null,
      found: `${letters} transitions that MySQL does not take: ${error}`,
      units: 0,
      repair: 'put right what the reason names, then "holdfast dead-letters replay"',
    });
  }
}

/** What waits in a lane: reservations that nobody ends, transitions that nobody takes. */
export async function reconcileLaneWork(books: Books, lane: number): Promise<void> {
  if (books.request.productId !== null) return;
  await reconcileOverdue(books, lane);
  await reconcileDeadLetters(books, lane);
}
