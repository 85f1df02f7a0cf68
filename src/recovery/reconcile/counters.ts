import { setTimeout as pause } from 'node:timers/promises';
import { eq } from 'drizzle-orm';
import { query } from '../../db/client.ts';
import { readProductRow } from '../../db/products.ts';
import { stock } from '../../db/schema.ts';
import { type MarkDifference, marks } from '../../db/schema-books.ts';
import { driftOf, inOrder, minus, NO_UNITS } from '../../domain/counters.ts';
import { Deadline } from '../../domain/deadline.ts';
import type { Finding } from '../../domain/finding.ts';
import { newCall } from '../../domain/ids.ts';
import type { Counters } from '../../domain/product.ts';
import { Unavailable } from '../../domain/unavailable.ts';
import { correctScript } from '../../redis/bindings/correct.ts';
import { markScript } from '../../redis/bindings/mark.ts';
import { laneKey } from '../../redis/keys.ts';
import type { Books, LaneGate } from './books.ts';

const PRODUCTS_PER_MARK = 200;
const MARK_LIMIT_MS = 15_000;
const QUERY_LIMIT_MS = 2_000;
const LOOK_EVERY_MS = 20;

async function readMark(books: Books, id: string): Promise<MarkDifference[] | undefined> {
  const reading = books.parts.database.orm.select().from(marks).where(eq(marks.id, id));
  const [row] = await query(new Deadline(QUERY_LIMIT_MS), 'mark', reading);
  return row?.differences.map(({ productId, expected, found }) => {
    return { productId, expected: inOrder(expected), found: found && inOrder(found) };
  });
}

/** Differences at the mark's own position, once the writer has come to it. */
async function compared(books: Books, lane: number, id: string): Promise<MarkDifference[]> {
  const deadline = new Deadline(MARK_LIMIT_MS);
  for (;;) {
    books.parts.ring(lane);
    await pause(LOOK_EVERY_MS);
    const differences = await readMark(books, id);
    if (differences) return differences;
    if (deadline.passed()) {
      throw new Unavailable(`no writer has come to a mark in lane ${lane} within 15 s`);
    }
  }
}

async function correct(
  books: Books,
  lane: number,
  marked: LaneGate,
  corrections: string,
  productId: number,
  units: Counters,
): Promise<boolean> {
  const { link } = books.parts;
  // A rebuild makes counters right, and begins to count corrections anew.
  const command = { ...marked, call: newCall(), corrections, by: books.id, productId, units };
  const correcting = correctScript.run(link.redis, laneKey(lane), command);
  const { status } = await books.ask('correct', correcting);
  return status === 'corrected';
}

// Redis has no such product, so nothing can move its units: the fold is final.
async function giveBack(
  books: Books,
  lane: number,
  marked: LaneGate,
  productId: number,
): Promise<boolean> {
  const { database } = books.parts;
  const deadline = new Deadline(QUERY_LIMIT_MS);
  const row = await query(deadline, 'product', readProductRow(database, productId));
  if (!row) return false;
  const reading = database.orm.select().from(stock).where(eq(stock.productId, productId));
  const [counters] = await query(deadline, 'stock', reading);
  if (!counters) return false;
  const { total, available, held, pending, sold } = counters;
  const { id, rulesVersion, rules } = row;
  const product = { id, rulesVersion, rules, counters: { total, available, held, pending, sold } };
  return books.repair(lane, marked, { kind: 'product', product });
}

async function noteMissing(
  books: Books,
  lane: number,
  marked: LaneGate,
  productId: number,
  expected: Counters,
) {
  await books.note({
    kind: 'product_missing',
    lane,
    productId,
    id: '',
    expected: { ...expected },
    found: null,
    units: driftOf(expected, NO_UNITS),
    repair: 'give Redis the product again, with the counters and rules that MySQL has',
    fix: () => giveBack(books, lane, marked, productId),
  });
}

/**
 * Redis' counters against MySQL's, exact while the sale goes on: a mark in the journal says what
 * Redis has, and the writer compares it when it comes to that very entry.
 */
export async function reconcileCounters(
  books: Books,
  lane: number,
  productIds: readonly number[],
): Promise<void> {
  const { link } = books.parts;
  for (let first = 0; first < productIds.length; first += PRODUCTS_PER_MARK) {
    await books.step('counters', first, productIds.length);
    const some = productIds.slice(first, first + PRODUCTS_PER_MARK);
    const gate = await books.gate(lane);
    const marking = markScript.run(link.redis, laneKey(lane), { ...gate, productIds: some });
    const reply = await books.ask('mark', marking);
    if (reply.status !== 'marked') throw new Unavailable(`lane ${lane} is ${reply.status}`);
    const known = books.findings.length;
    let corrections = Number(reply.corrections);
    for (const { productId, expected, found } of await compared(books, lane, gate.call)) {
      if (!found) {
        await noteMissing(books, lane, gate, productId, expected);
        continue;
      }
      const fix = async () => {
        const units = minus(expected, found);
        const isDone = await correct(books, lane, gate, String(corrections), productId, units);
        if (isDone) corrections += 1;
        return isDone;
      };
      await books.note({
        kind: 'redis_disagrees',
        lane,
        productId,
        id: '',
        expected: { ...expected },
        found: { ...found },
        units: driftOf(expected, found),
        repair: "move Redis' counters by the difference",
        fix,
      });
    }
    if (corrections > Number(reply.corrections)) books.parts.ring(lane);
    // Unlike a correction, what is given back stands in no entry: a mark shows that they agree.
    const isGivenBack = ({ kind, outcome }: Finding) =>
      kind === 'product_missing' && outcome === 'repaired';
    if (books.findings.slice(known).some(isGivenBack)) {
      const again = await books.gate(lane);
      const command = { ...again, productIds: some };
      await books.ask('mark', markScript.run(link.redis, laneKey(lane), command));
      await compared(books, lane, again.call);
    }
  }
}
