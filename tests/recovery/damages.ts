import type { FindingKind } from '../../src/domain/finding.ts';
import { newReservationId } from '../../src/domain/ids.ts';
import { formatDueMember, parseRecord } from '../../src/domain/reservation.ts';
import {
  BULL_PREFIX,
  buyersKey,
  CATALOG_KEY,
  dueKey,
  productKey,
  reservationKey,
} from '../../src/redis/keys.ts';
import { unique } from '../support/buying.ts';
import type { TestEngine } from '../support/engine.ts';
import type { Planted } from './sold-some.ts';

/** Something done to one of the stores behind the engine's back, and what is to be found. */
export interface Damage {
  what: string;
  kinds: FindingKind[];
  /** Those that people must see to, whatever is repaired. */
  left?: FindingKind[];
  plant: (t: TestEngine, planted: Planted) => Promise<unknown>;
}

async function memberOf({ redis }: TestEngine, id: string): Promise<string> {
  const text = await redis.get(reservationKey(0, id));
  return formatDueMember(id, parseRecord(text ?? ''));
}

const later = () => Date.now() + 60_000;

const IN_REDIS: Damage[] = [
  {
    what: "Redis' counters were edited",
    kinds: ['redis_disagrees'],
    plant: (t, { product }) => t.redis.hincrby(productKey(0, product.id), 'available', -7),
  },
  {
    what: "a product's key was deleted",
    kinds: ['product_missing'],
    plant: (t, { product }) => t.redis.del(productKey(0, product.id)),
  },
  {
    what: 'a record was deleted',
    kinds: ['record_missing'],
    plant: (t, { live }) => t.redis.del(reservationKey(0, live)),
  },
  {
    what: 'a record was edited',
    kinds: ['record_differs'],
    plant: async (t, { pending }) => {
      const key = reservationKey(0, pending);
      const text = (await t.redis.get(key)) ?? '';
      await t.redis.set(key, text.replace('|USD|bob|', '|USD|mallory|'), 'KEEPTTL');
    },
  },
  {
    what: 'a record came from nowhere',
    kinds: ['record_stray'],
    plant: (t, { product }) => {
      const text = `held|1|${product.id}:4|${later()}|100|USD|||`;
      return t.redis.set(reservationKey(0, newReservationId(0)), `${text}|`, 'PXAT', later());
    },
  },
  {
    what: 'a record of something that has ended was made live again',
    kinds: ['record_differs'],
    plant: (t, { product, released }) => {
      const text = `held|1|${product.id}:1|${later()}|100|USD|dan|1||`;
      return t.redis.set(reservationKey(0, released), text, 'PXAT', later());
    },
  },
  {
    what: 'an entry of the index was removed',
    kinds: ['index_missing'],
    plant: async (t, { live }) => t.redis.zrem(dueKey(0), await memberOf(t, live)),
  },
  {
    what: 'an entry of the index came from nowhere',
    kinds: ['index_stray'],
    plant: (t, { product }) => {
      const member = `${newReservationId(0)}|held|1|${product.id}:4|`;
      return t.redis.zadd(dueKey(0), later(), member);
    },
  },
  {
    what: 'a second entry of the index for the same hold',
    kinds: ['index_stray'],
    plant: (t, { product, live }) =>
      t.redis.zadd(dueKey(0), later(), `${live}|held|9|${product.id}:2|ann`),
  },
  {
    what: 'a deadline was moved in the index',
    kinds: ['deadline_differs'],
    plant: async (t, { live }) => t.redis.zadd(dueKey(0), '4102444800000', await memberOf(t, live)),
  },
  {
    what: "a buyer's count was edited",
    kinds: ['buyer_count'],
    plant: (t, { product }) => t.redis.hset(buyersKey(0, product.id), 'ann', '8'),
  },
  {
    what: "a buyer's count came from nowhere",
    kinds: ['buyer_count'],
    plant: (t, { product }) => t.redis.hset(buyersKey(0, product.id), 'mallory', '3'),
  },
  {
    what: 'the catalog lacks a product',
    kinds: ['catalog_wrong'],
    plant: (t, { product }) => t.redis.hdel(CATALOG_KEY, String(product.id)),
  },
  {
    what: 'the price was edited in Redis',
    kinds: ['rules_differ'],
    plant: (t, { product }) => t.redis.hset(productKey(0, product.id), 'price_minor', '1'),
  },
  {
    what: 'the version of the rules was edited in Redis',
    kinds: ['rules_differ'],
    plant: (t, { product }) =>
      t.redis.hset(productKey(0, product.id), { rules_version: '99', price_minor: '1' }),
  },
  {
    what: 'a limit was added in Redis alone',
    kinds: ['rules_differ'],
    plant: (t, { product }) => t.redis.hset(productKey(0, product.id), 'max_per_hold', '1'),
  },
  {
    what: 'by how much holds can be extended was edited in Redis',
    kinds: ['rules_differ'],
    plant: (t, { product }) => t.redis.hset(productKey(0, product.id), 'extend_ms', '1'),
  },
  {
    what: 'that holds can be extended was deleted in Redis',
    kinds: ['rules_differ'],
    plant: (t, { product }) => t.redis.hdel(productKey(0, product.id), 'extend_ms'),
  },
  {
    what: "BullMQ's keys are gone",
    kinds: ['queue'],
    plant: async (t) => {
      const keys = await t.redis.keys(`${BULL_PREFIX}:drain:*`);
      if (keys.length > 0) await t.redis.del(...keys);
    },
  },
];

const IN_MYSQL: Damage[] = [
  {
    what: 'the row of a hold was deleted',
    kinds: ['buyer_count', 'row_missing', 'stock_disagrees'],
    plant: (t, { live }) => t.sql('DELETE FROM holds WHERE id = ?', [`hold_${live}`]),
  },
  {
    what: 'the row of a hold and its items were deleted',
    kinds: ['buyer_count', 'row_missing', 'stock_disagrees'],
    plant: async (t, { live }) => {
      await t.sql('DELETE FROM holds WHERE id = ?', [`hold_${live}`]);
      await t.sql('DELETE FROM hold_items WHERE hold_id = ?', [`hold_${live}`]);
    },
  },
  {
    what: 'the row of the hold behind an order that awaits payment was deleted',
    kinds: ['row_missing'],
    plant: (t, { pending }) => t.sql('DELETE FROM holds WHERE id = ?', [`hold_${pending}`]),
  },
  {
    what: 'the row of the hold behind a paid order was deleted',
    kinds: ['row_missing'],
    plant: (t, { paid }) => t.sql('DELETE FROM holds WHERE id = ?', [`hold_${paid}`]),
  },
  {
    what: 'the row of an order that awaits payment was deleted',
    kinds: ['buyer_count', 'row_missing', 'stock_disagrees'],
    plant: (t, { pending }) => t.sql('DELETE FROM orders WHERE id = ?', [`order_${pending}`]),
  },
  {
    what: 'the row of a paid order was deleted',
    kinds: ['buyer_count', 'row_missing', 'stock_disagrees', 'receipt_disagrees'],
    left: ['receipt_disagrees'],
    plant: (t, { paid }) => t.sql('DELETE FROM orders WHERE id = ?', [`order_${paid}`]),
  },
  {
    what: "a pending order's status was edited",
    kinds: ['row_edited', 'stock_disagrees'],
    plant: (t, { pending }) =>
      t.sql("UPDATE orders SET state = 'paid' WHERE id = ?", [`order_${pending}`]),
  },
  {
    what: "a paid order's status was edited",
    kinds: ['buyer_count', 'row_edited', 'stock_disagrees', 'receipt_disagrees'],
    left: ['receipt_disagrees'],
    plant: (t, { paid }) =>
      t.sql("UPDATE orders SET state = 'cancelled' WHERE id = ?", [`order_${paid}`]),
  },
  {
    what: 'a released hold was made live again',
    kinds: ['buyer_count', 'row_edited', 'stock_disagrees'],
    plant: (t, { released }) =>
      t.sql("UPDATE holds SET state = 'held' WHERE id = ?", [`hold_${released}`]),
  },
  {
    what: 'the row of an extended hold was set back',
    kinds: ['row_edited'],
    plant: (t, { live }) =>
      t.sql(
        'UPDATE holds SET version = 1, expires_at = expires_at - INTERVAL 60 SECOND WHERE id = ?',
        [`hold_${live}`],
      ),
  },
  {
    what: 'stock was edited',
    kinds: ['stock_disagrees', 'redis_disagrees'],
    plant: (t, { product }) =>
      t.sql('UPDATE stock SET available = available + 5 WHERE product_id = ?', [product.id]),
  },
  {
    what: 'the total was edited',
    kinds: ['stock_disagrees', 'redis_disagrees'],
    plant: (t, { product }) =>
      t.sql('UPDATE stock SET total = total + 5, available = available + 5 WHERE product_id = ?', [
        product.id,
      ]),
  },
  {
    what: 'a receipt was left open',
    kinds: ['receipt_open'],
    plant: (t, { pending }) =>
      t.sql(
        "INSERT INTO payment_events (reference, order_id, status, received_at) VALUES (?, ?, 'success', '2026-01-01')",
        [unique('pay'), `order_${pending}`],
      ),
  },
  {
    what: 'an adjustment has no position',
    kinds: ['adjustment_open'],
    plant: (t, { product }) =>
      t.sql(
        "INSERT INTO stock_adjustments (product_id, `key`, delta, created_at) VALUES (?, ?, 4, '2026-01-01')",
        [product.id, unique('delivery')],
      ),
  },
];

export const DAMAGES: readonly Damage[] = [...IN_REDIS, ...IN_MYSQL];
