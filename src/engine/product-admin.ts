import { query } from '../db/client.ts';
import {
  areRulesApplied,
  deleteOpenAdjustment,
  insertAdjustment,
  insertProduct,
  listUnapplied,
  type ProductRow,
  readAdjustment,
  readProductRow,
  updateRules,
} from '../db/products.ts';
import type { Deadline } from '../domain/deadline.ts';
import { eachOf } from '../domain/each.ts';
import type { NewProduct, RulesPatch, StockOutcome } from '../domain/outcomes.ts';
import type { Product } from '../domain/product.ts';
import { Unavailable } from '../domain/unavailable.ts';
import { adjustStockScript } from '../redis/bindings/adjust-stock.ts';
import { putProductScript } from '../redis/bindings/put-product.ts';
import { askRedis } from '../redis/client.ts';
import { CATALOG_KEY, laneKey } from '../redis/keys.ts';
import { withCommit } from './commit.ts';
import type { EngineParts } from './parts.ts';
import type { Products } from './products.ts';

const REAPPLIED_AT_ONCE = 100;

/** What the shop's own people can ask for. */
export interface ProductAdmin {
  /** Sellable once it resolves. */
  create: (product: NewProduct, deadline: Deadline) => Promise<Product>;
  /** Undefined when there is no such product. */
  change: (id: number, patch: RulesPatch, deadline: Deadline) => Promise<Product | undefined>;
  /** Adds units, or takes available ones away; once for each key. Committed when it resolves. */
  adjustStock: (
    id: number,
    delta: number,
    key: string,
    deadline: Deadline,
  ) => Promise<StockOutcome<Product>>;
  /** Gives Redis the products that two looks found left behind in MySQL. Returns how many. */
  reapply: (deadline: Deadline) => Promise<number>;
}

// MySQL had the rules first. Resolves once the lane has them, and MySQL the journal's word of that.
async function put(parts: EngineParts, row: ProductRow, deadline: Deadline): Promise<void> {
  const { link, acks, database, ring } = parts;
  // Listed first: a product that is sold must never be an unknown one.
  const listing = link.redis.hset(CATALOG_KEY, String(row.id), String(row.lane));
  await askRedis(deadline, 'catalog', listing);
  await withCommit(acks, async (commit) => {
    const reply = await link.execute(row.lane, 'put_product', deadline, (gate) => {
      commit.follow(gate.call);
      const { id: productId, rulesVersion, initialStock, rules } = row;
      const command = { ...gate, productId, rulesVersion, initialStock, rules };
      return putProductScript.run(link.redis, laneKey(row.lane), command);
    });
    if (reply.status === 'no_counters') {
      throw new Unavailable(`Redis has lost the stock of product ${row.id}; rebuild its lane`);
    }
    ring(row.lane);
    await commit.committed(deadline, () =>
      query(deadline, 'rules', areRulesApplied(database, row.id, row.rulesVersion)),
    );
  });
}

async function adjust(
  parts: EngineParts,
  { id, lane }: Product,
  delta: number,
  key: string,
  deadline: Deadline,
): Promise<'adjusted' | 'product_not_found' | { available: number }> {
  const { link, acks, database, idempotencyTtlMs, ring } = parts;
  return withCommit(acks, async (commit) => {
    const reply = await link.execute(lane, 'adjust_stock', deadline, (gate) => {
      commit.follow(gate.call);
      const command = { ...gate, productId: id, delta, key, ttlMs: idempotencyTtlMs };
      return adjustStockScript.run(link.redis, laneKey(lane), command);
    });
    ring(lane);
    if (reply.status === 'unknown_product') return 'product_not_found';
    if (reply.status === 'insufficient') {
      await query(deadline, 'adjustment', deleteOpenAdjustment(database, id, key));
      return { available: reply.available };
    }
    const decided = async () => {
      const row = await query(deadline, 'adjustment', readAdjustment(database, id, key));
      return row?.isApplied === true;
    };
    if (reply.status === 'adjusted') await commit.committed(deadline, decided);
    else await acks.until(deadline, decided);
    return 'adjusted';
  });
}

export function createProductAdmin(parts: EngineParts, products: Products): ProductAdmin {
  const { database } = parts;
  /** Rules version of each product that the last look found so. */
  let unapplied = new Map<number, number>();

  const readMade = async (id: number, deadline: Deadline): Promise<Product> => {
    const product = await products.read(id, deadline);
    if (!product) throw new Unavailable(`product ${id} is not in Redis yet`);
    return product;
  };

  const putById = async (id: number, deadline: Deadline): Promise<Product> => {
    const row = await query(deadline, 'product', readProductRow(database, id));
    if (!row) throw new Unavailable(`product ${id} has no row`);
    await put(parts, row, deadline);
    return readMade(id, deadline);
  };

  return {
    create: async (product, deadline) => {
      const holdTtlMs = product.holdTtlMs ?? parts.holdTtlMs;
      const payTtlMs = product.payTtlMs ?? parts.payTtlMs;
      const complete = { ...product, holdTtlMs, payTtlMs };
      const id = await query(deadline, 'product', insertProduct(database, complete, parts.lanes));
      return putById(id, deadline);
    },

    change: async (id, patch, deadline) => {
      const isKnown = await query(deadline, 'product', updateRules(database, id, patch));
      return isKnown ? putById(id, deadline) : undefined;
    },

    adjustStock: async (id, delta, key, deadline) => {
      const product = await products.read(id, deadline);
      if (!product) return { status: 'product_not_found' };
      await query(deadline, 'adjustment', insertAdjustment(database, id, key, delta));
      const row = await query(deadline, 'adjustment', readAdjustment(database, id, key));
      if (row && row.delta !== delta) return { status: 'adjustment_mismatch' };
      // Made already: without its row it would be made again once Redis has forgotten its key.
      if (row?.isWaiting) throw new Unavailable('the adjustment waits as a dead letter');
      // Redis forgets the key in time; the row's position does not.
      if (!row?.isApplied) {
        const result = await adjust(parts, product, delta, key, deadline);
        if (result === 'product_not_found') return { status: result };
        if (result !== 'adjusted') return { status: 'insufficient_available', ...result };
      }
      return { status: 'adjusted', product: await readMade(id, deadline) };
    },

    reapply: async (deadline) => {
      const rows = await query(deadline, 'products', listUnapplied(database, REAPPLIED_AT_ONCE));
      // Who changes a product right now has done so by the next look.
      const left = rows.filter(({ id, rulesVersion }) => unapplied.get(id) === rulesVersion);
      unapplied = new Map(rows.map(({ id, rulesVersion }) => [id, rulesVersion]));
      await eachOf(left, (row) => put(parts, row, deadline));
      return left.length;
    },
  };
}
