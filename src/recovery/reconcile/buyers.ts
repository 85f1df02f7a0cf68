import { setTimeout as pause } from 'node:timers/promises';
import { readTrails, readWaitingBuyers } from '../../db/buyers.ts';
import { query } from '../../db/client.ts';
import { countBuyers } from '../../db/live.ts';
import { Deadline } from '../../domain/deadline.ts';
import { buyersKey, laneKey } from '../../redis/keys.ts';
import type { Books, LaneGate } from './books.ts';

const PAGE = 1_000;
const MYSQL_LIMIT_MS = 60_000;
const ATTEMPTS_MAX = 5;
const REST_MS = 200;

/** A buyer of a product, as text. */
type Buyer = string;
type Counts = Map<Buyer, string>;

const buyerOf = (productId: number, buyer: string): Buyer => `${productId}/${buyer}`;

function partsOf(key: Buyer): { productId: number; buyer: string } {
  const slash = key.indexOf('/');
  return { productId: Number(key.slice(0, slash)), buyer: key.slice(slash + 1) };
}

async function countInRows(books: Books, lane: number): Promise<Counts> {
  const counting = countBuyers(books.parts.database, lane);
  const rows = await query(new Deadline(MYSQL_LIMIT_MS), 'buyers', counting);
  return new Map(
    rows
      .filter(({ productId }) => books.concerns([{ productId }]))
      .map(({ productId, buyer, units }) => [buyerOf(productId, buyer), String(units)]),
  );
}

async function countInRedis(books: Books, lane: number, productIds: readonly number[]) {
  const { redis } = books.parts.link;
  const counts: Counts = new Map();
  for (const [index, productId] of productIds.entries()) {
    let cursor = '0';
    do {
      const scanning = redis.hscan(buyersKey(lane, productId), cursor, 'COUNT', PAGE);
      const [next, flat] = await books.ask('buyers', scanning);
      cursor = next;
      for (let at = 0; at < flat.length; at += 2) {
        counts.set(buyerOf(productId, flat[at] ?? ''), flat[at + 1] ?? '');
      }
    } while (cursor !== '0');
    if (index % 100 === 0) await books.step('buyers', index, productIds.length);
  }
  return counts;
}

async function read(books: Books, lane: number, buyers: readonly Buyer[]) {
  const { redis } = books.parts.link;
  const position = (await books.ask('lane', redis.hget(laneKey(lane), 'position'))) ?? '';
  const counts: Counts = new Map();
  for (let first = 0; first < buyers.length; first += PAGE) {
    const some = buyers.slice(first, first + PAGE);
    const reading = some.map((key) => {
      const { productId, buyer } = partsOf(key);
      return redis.hget(buyersKey(lane, productId), buyer);
    });
    const found = await books.ask('buyers', Promise.all(reading));
    for (const [index, key] of some.entries()) counts.set(key, found[index] ?? '');
  }
  return { position, counts };
}

async function noteWrong(
  books: Books,
  lane: number,
  gate: LaneGate,
  [key, seen, units]: readonly [Buyer, string, string],
) {
  const { productId, buyer } = partsOf(key);
  await books.note({
    kind: 'buyer_count',
    lane,
    productId,
    id: buyer,
    expected: Number(units),
    found: Number(seen),
    units: Math.abs(Number(units) - Number(seen)),
    repair: 'set the count to what the rows of this buyer add up to',
    fix: () => books.repair(lane, gate, { kind: 'buyer', productId, buyer, seen, units }),
  });
}

// Those that stand still for a moment, and are wrong.
async function standing(books: Books, lane: number, keys: readonly Buyer[]): Promise<Buyer[]> {
  const wrong: Buyer[] = [];
  let suspects = keys;
  for (let attempt = 1; suspects.length > 0 && attempt <= ATTEMPTS_MAX; attempt += 1) {
    if (attempt > 1) await pause(REST_MS * attempt);
    const before = await read(books, lane, suspects);
    await books.reached(lane, before.position);
    const rows = await countInRows(books, lane);
    const after = await read(books, lane, suspects);
    const differing = suspects.filter((key) => after.counts.get(key) !== (rows.get(key) ?? ''));
    const hasMoved = (key: Buyer) => after.counts.get(key) !== before.counts.get(key);
    wrong.push(...differing.filter((key) => !hasMoved(key)));
    suspects = differing.filter(hasMoved);
    await books.step('buyers', attempt, ATTEMPTS_MAX);
  }
  return wrong;
}

// A count that is the same again may have been another meanwhile: only what the rows tell of a buyer
// as a whole never comes back. Returns those who did something.
async function confirm(books: Books, lane: number, keys: readonly Buyer[]): Promise<Buyer[]> {
  const { database, link } = books.parts;
  const buyers = [...new Set(keys.map((key) => partsOf(key).buyer))];
  const ask = <T>(reading: Promise<T>) => query(new Deadline(MYSQL_LIMIT_MS), 'buyers', reading);
  const trailsBefore = await ask(readTrails(database, lane, buyers));
  const rows = await countInRows(books, lane);
  const gate = await books.gate(lane);
  const { counts } = await read(books, lane, keys);
  const position = await books.ask('lane', link.redis.hget(laneKey(lane), 'position'));
  await books.reached(lane, position ?? '');
  const trails = await ask(readTrails(database, lane, buyers));
  const waiting = await ask(readWaitingBuyers(database, lane));
  await books.sameLane(lane, gate);
  const moved: Buyer[] = [];
  for (const key of keys) {
    const { buyer } = partsOf(key);
    const [seen, units] = [counts.get(key) ?? '', rows.get(key) ?? ''];
    if (waiting.has(buyer)) continue;
    if (trails.get(buyer) !== trailsBefore.get(buyer)) moved.push(key);
    else if (seen !== units) await noteWrong(books, lane, gate, [key, seen, units]);
  }
  return moved;
}

/**
 * What each buyer has of products with a limit, by rows and by Redis. Counts of those who are buying
 * right now are looked at again until they stand still for a moment.
 */
export async function reconcileBuyers(
  books: Books,
  lane: number,
  productIds: readonly number[],
): Promise<void> {
  const inRedis = await countInRedis(books, lane, productIds);
  const inRows = await countInRows(books, lane);
  const differ = (key: Buyer) => (inRedis.get(key) ?? '') !== (inRows.get(key) ?? '');
  const suspects = [...new Set([...inRedis.keys(), ...inRows.keys()])].filter(differ);
  let wrong = await standing(books, lane, suspects);
  for (let attempt = 1; wrong.length > 0 && attempt <= ATTEMPTS_MAX; attempt += 1) {
    if (attempt > 1) await pause(REST_MS * attempt);
    wrong = await confirm(books, lane, wrong);
  }
}
