import { listOrphans } from '../../db/reservation-rows.ts';
import {
  correctStock,
  listContradicted,
  readStockBooks,
  type StockBooks,
} from '../../db/stock-books.ts';
import { driftOf, minus, sameCounters } from '../../domain/counters.ts';
import type { Books } from './books.ts';
import { examineSuspects } from './suspects.ts';

const SUSPECTS_MAX = 1_000;

/**
 * MySQL against itself, in one snapshot: what the journal adds up to, against the sum of the rows.
 * Rows are the truth, unless their own history says that somebody else has changed them.
 */
export async function reconcileStock(books: Books, lane: number): Promise<number[]> {
  const { database } = books.parts;
  const read = async () => {
    const all = await readStockBooks(database, lane);
    return all.filter(({ productId }) => books.concerns([{ productId }]));
  };
  const isWrong = ({ stock, rows }: StockBooks) => !sameCounters(stock, rows);
  await books.step('stock', 0, 1);
  let all = await read();
  books.products += all.length;
  const wrong = all.filter(isWrong).map(({ productId }) => productId);
  const suspects = await listOrphans(database, lane, SUSPECTS_MAX);
  if (wrong.length > 0) {
    suspects.push(...(await listContradicted(database, lane, wrong, SUSPECTS_MAX)));
  }
  if (suspects.length > 0) {
    const seen = [...new Set(suspects)].map((id) => ({ id, members: [] }));
    await examineSuspects(books, lane, seen);
    if (books.request.fixes) all = await read();
  }
  for (const each of all) if (isWrong(each)) await noteWrong(books, lane, each);
  for (const { productId, rows } of all) {
    if (rows.available >= 0) continue;
    await books.note({
      kind: 'oversold',
      lane,
      productId,
      id: '',
      expected: { available: 0 },
      found: { available: rows.available },
      units: -rows.available,
      repair: 'add units by "holdfast product restock", or cancel orders and refund them',
    });
  }
  await books.step('stock', 1, 1);
  return all.map(({ productId }) => productId);
}

async function noteWrong(books: Books, lane: number, each: StockBooks) {
  const { productId, stock, rows } = each;
  await books.note({
    kind: 'stock_disagrees',
    lane,
    productId,
    id: '',
    expected: { ...rows },
    found: { ...stock },
    units: driftOf(stock, rows),
    repair: 'set the row in stock to the sum of holds and orders',
    // A difference, so that it is right wherever the sale has got to.
    fix: () => correctStock(books.locked(), lane, each, minus(rows, stock)),
  });
}
