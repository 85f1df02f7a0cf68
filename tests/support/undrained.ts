import type { Product } from '../../src/domain/product.ts';
import { drained } from './books.ts';
import { type EngineOptions, makeProduct, ownEngine, type TestEngine } from './engine.ts';
import type { LogLine } from './log.ts';

/**
 * An engine for one test on which nobody drains but the test itself, with a product that is
 * committed. `audit` is what must hold at the test's end.
 */
export async function undrainedEngine(
  audit: (engine: TestEngine) => Promise<void>,
  options: EngineOptions = {},
): Promise<{ t: TestEngine; product: Product }> {
  const config = { ...options.config, roles: ['api'] as const };
  const t = await ownEngine({ ...options, config }, audit);
  const writer = await t.another({ config: { roles: ['writer'] } });
  const product = await makeProduct(t, { totalStock: 100 });
  await drained(t);
  await writer.close();
  return { t, product };
}

/** Rows that a drain writes, all of them. */
export async function writtenRows({ sql }: TestEngine): Promise<unknown[]> {
  const tables = [
    'lanes',
    'stock',
    'holds',
    'hold_items',
    'orders',
    'payment_events',
    'transitions',
  ];
  return Promise.all(tables.map((table) => sql(`SELECT * FROM ${table} ORDER BY 1, 2`)));
}

/** Lines of a log that say what this text says. */
export const saying = (lines: readonly LogLine[], text: string): LogLine[] =>
  lines.filter((line) => JSON.stringify(line).includes(text));
