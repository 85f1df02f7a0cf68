import { setTimeout as pause } from 'node:timers/promises';
import { eq } from 'drizzle-orm';
import { query } from '../../db/client.ts';
import { raiseRulesVersion, toProductRow } from '../../db/products.ts';
import { products } from '../../db/schema.ts';
import { NO_UNITS } from '../../domain/counters.ts';
import { Deadline } from '../../domain/deadline.ts';
import { productFields } from '../../redis/bindings/load-lane.ts';
import { CATALOG_KEY, productKey } from '../../redis/keys.ts';
import type { Books } from './books.ts';

const AT_ONCE = 500;
const LIMIT_MS = 5_000;
const SETTLED_AFTER_MS = 500;
const COUNTERS = new Set(['total', 'available', 'held', 'pending', 'sold']);

function pairsOf(flat: readonly string[]): Map<string, string> {
  const pairs = new Map<string, string>();
  for (let at = 0; at < flat.length; at += 2) pairs.set(flat[at] ?? '', flat[at + 1] ?? '');
  return pairs;
}

async function noteCatalog(books: Books, lane: number, productId: number, found: string | null) {
  const { redis } = books.parts.link;
  await books.note({
    kind: 'catalog_wrong',
    lane,
    productId,
    id: '',
    expected: { lane },
    found: found === null ? null : { lane: Number(found) },
    units: 0,
    repair: 'list the product under its lane: buyers are told that it does not exist',
    fix: async () => {
      await books.ask('catalog', redis.hset(CATALOG_KEY, String(productId), String(lane)));
      return true;
    },
  });
}

async function noteRules(
  books: Books,
  lane: number,
  productId: number,
  [field, expected]: [string, string],
  found: string | undefined,
) {
  await books.note({
    kind: 'rules_differ',
    lane,
    productId,
    id: field,
    expected: { [field]: expected },
    found: found === undefined ? null : { [field]: found },
    units: 0,
    repair: 'give Redis the rules of MySQL again, under a new version',
    fix: async () => {
      await books.parts.engine.admin.change(productId, {}, new Deadline(LIMIT_MS));
      return true;
    },
  });
}

// Newer rules are on their way for a moment. A version that stays another one, though the journal has
// told that Redis has that of MySQL, was edited.
async function noteVersion(books: Books, lane: number, productId: number): Promise<void> {
  const { database, link } = books.parts;
  const look = async () => {
    const reading = database.orm.select().from(products).where(eq(products.id, productId));
    const [row] = await query(new Deadline(LIMIT_MS), 'product', reading);
    const key = productKey(lane, productId);
    const found = await books.ask('product', link.redis.hget(key, 'rules_version'));
    return { row, found };
  };
  const before = await look();
  await pause(SETTLED_AFTER_MS);
  const { row, found } = await look();
  if (!row || row.rulesVersion !== before.row?.rulesVersion || found !== before.found) return;
  if (row.rulesApplied !== row.rulesVersion || Number(found) === row.rulesVersion) return;
  await books.note({
    kind: 'rules_differ',
    lane,
    productId,
    id: 'rules_version',
    expected: { rules_version: row.rulesVersion },
    found: found === null ? null : { rules_version: Number(found) },
    units: 0,
    repair: 'give Redis the rules of MySQL again, under a newer version than both',
    fix: async () => {
      const raised = Math.max(row.rulesVersion, Number(found) || 0);
      const raising = raiseRulesVersion(database, productId, raised);
      await query(new Deadline(LIMIT_MS), 'product', raising);
      await books.parts.engine.admin.change(productId, {}, new Deadline(LIMIT_MS));
      return true;
    },
  });
}

/** The catalog, and the rules of each product: Redis against the rows. */
export async function reconcileProducts(books: Books, lane: number): Promise<void> {
  const { database, link } = books.parts;
  const reading = database.orm.select().from(products).where(eq(products.lane, lane));
  const rows = await query(new Deadline(LIMIT_MS), 'products', reading);
  const asked = rows.filter(({ id }) => books.concerns([{ productId: id }]));
  for (let first = 0; first < asked.length; first += AT_ONCE) {
    const some = asked.slice(first, first + AT_ONCE);
    const ids = some.map(({ id }) => String(id));
    const [listed, hashes] = await books.ask(
      'products',
      Promise.all([
        link.redis.hmget(CATALOG_KEY, ...ids),
        Promise.all(some.map(({ id }) => link.redis.hgetall(productKey(lane, id)))),
      ]),
    );
    for (const [index, row] of some.entries()) {
      const lanesListed = listed[index] ?? null;
      if (lanesListed !== String(lane)) await noteCatalog(books, lane, row.id, lanesListed);
      const found = hashes[index] ?? {};
      // Absent ones have a finding of their own.
      if (found.rules_version === undefined) continue;
      if (Number(found.rules_version) !== row.rulesVersion) {
        await noteVersion(books, lane, row.id);
        continue;
      }
      const { rules, rulesVersion } = toProductRow(row, true);
      const expected = pairsOf(
        productFields({ id: row.id, rulesVersion, rules, counters: NO_UNITS }),
      );
      for (const name of new Set([...expected.keys(), ...Object.keys(found)])) {
        if (COUNTERS.has(name) || found[name] === expected.get(name)) continue;
        await noteRules(books, lane, row.id, [name, expected.get(name) ?? 'none'], found[name]);
        break;
      }
    }
    await books.step('products', first + some.length, asked.length);
  }
}
