import {
  bigint,
  boolean,
  index,
  int,
  mysqlTable,
  primaryKey,
  smallint,
  varchar,
} from 'drizzle-orm/mysql-core';
import type { PaymentStatus, ReceiptOutcome } from '../domain/outcomes.ts';
import type { Counters } from '../domain/product.ts';
import type { OrderState } from '../domain/reservation.ts';
import { ascii, jsonOf, moment, position, units } from './columns.ts';

/** What a rebuild found wrong in the rows, and put right. */
export type RebuildFinding =
  | { kind: 'counters_disagree'; productId: number; expected: Counters; found: Counters }
  | { kind: 'hold_beyond_total'; holdId: string };

// No foreign keys and no auto-increment on hot tables: they would tie a lane to one MySQL server.
// Times are those of the Redis server whose event a row tells, in UTC.

/** What is sold, and the rules of its sale. `initial_stock` counts only until the journal has stock. */
export const products = mysqlTable('products', {
  id: bigint('id', { mode: 'number' }).primaryKey().autoincrement(),
  lane: smallint('lane').notNull(),
  name: varchar('name', { length: 200 }).notNull(),
  priceMinor: bigint('price_minor', { mode: 'number' }).notNull(),
  currency: ascii('currency', { length: 3 }).notNull(),
  initialStock: units('initial_stock').notNull(),
  status: ascii('status', { length: 16 }).$type<'active' | 'paused'>().notNull(),
  startsAt: moment('starts_at'),
  endsAt: moment('ends_at'),
  holdTtlMs: int('hold_ttl_ms').notNull(),
  payTtlMs: int('pay_ttl_ms').notNull(),
  /** By how much a buyer may extend a hold, once; 0 for not at all. */
  extendMs: int('extend_ms').notNull().default(0),
  maxPerHold: int('max_per_hold'),
  maxPerBuyer: int('max_per_buyer'),
  rulesVersion: int('rules_version').notNull(),
  /** The newest version that Redis is known to have; behind `rules_version` after a crash. */
  rulesApplied: int('rules_applied').notNull().default(0),
  createdAt: moment('created_at').notNull(),
});

/** Counters of a product as the fold of its lane's journal, and the entry they stand at. */
export const stock = mysqlTable('stock', {
  productId: bigint('product_id', { mode: 'number' }).primaryKey(),
  lane: smallint('lane').notNull(),
  total: units('total').notNull(),
  available: units('available').notNull(),
  held: units('held').notNull(),
  pending: units('pending').notNull(),
  sold: units('sold').notNull(),
  epoch: position('epoch').notNull(),
  sequence: position('sequence').notNull(),
});

/** The watermark of each lane: the last journal entry that is committed here. */
export const lanes = mysqlTable('lanes', {
  lane: smallint('lane').primaryKey(),
  epoch: position('epoch').notNull(),
  /** -1 before the first entry of an epoch. */
  sequence: position('sequence').notNull(),
  call: ascii('call', { length: 32 }).notNull(),
  /** Transitions of this epoch up to and with the watermark. */
  emitted: bigint('emitted', { mode: 'number' }).notNull(),
  eventAt: moment('event_at'),
  /** Tells this database from another; Redis has it, too. '' until the lane is first opened. */
  shop: ascii('shop', { length: 32 }).notNull().default(''),
  /** Products whose counters in Redis are known to differ from the fold: open rows of `drifts`. */
  drifts: int('drifts').notNull().default(0),
  /** Closed until the books agree again; never set where drift only raises an alarm. */
  suspect: boolean('suspect').notNull().default(false),
  /** Transitions of the lane that wait in `dead_letters`. */
  deadLetters: int('dead_letters').notNull().default(0),
});

export const holds = mysqlTable('holds', {
  id: ascii('id', { length: 40 }).primaryKey(),
  lane: smallint('lane').notNull().default(0),
  state: ascii('state', { length: 16 })
    .$type<'held' | 'ordered' | 'released' | 'expired'>()
    .notNull(),
  version: int('version').notNull(),
  buyer: ascii('buyer', { length: 64 }).notNull().default(''),
  counted: boolean('counted').notNull().default(false),
  amountMinor: bigint('amount_minor', { mode: 'number' }).notNull().default(0),
  currency: ascii('currency', { length: 3 }).notNull().default(''),
  idempotencyKey: ascii('idempotency_key', { length: 128 }).notNull().default(''),
  fingerprint: ascii('fingerprint', { length: 64 }).notNull().default(''),
  createdAt: moment('created_at'),
  expiresAt: moment('expires_at'),
  endedAt: moment('ended_at'),
});

/** What a hold is of, at the price of the moment it was made. */
export const holdItems = mysqlTable(
  'hold_items',
  {
    holdId: ascii('hold_id', { length: 40 }).notNull(),
    productId: bigint('product_id', { mode: 'number' }).notNull(),
    qty: int('qty').notNull(),
    priceMinor: bigint('price_minor', { mode: 'number' }).notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.holdId, table.productId] }),
    index('hold_items_product').on(table.productId, table.holdId),
  ],
);

export const orders = mysqlTable(
  'orders',
  {
    id: ascii('id', { length: 40 }).primaryKey(),
    holdId: ascii('hold_id', { length: 40 }).notNull().default(''),
    lane: smallint('lane').notNull().default(0),
    state: ascii('state', { length: 16 }).$type<OrderState>().notNull(),
    version: int('version').notNull(),
    buyer: ascii('buyer', { length: 64 }).notNull().default(''),
    amountMinor: bigint('amount_minor', { mode: 'number' }).notNull().default(0),
    currency: ascii('currency', { length: 3 }).notNull().default(''),
    /** Whether its units count towards the buyer's limit; a late payment can change that. */
    counted: boolean('counted').notNull().default(false),
    idempotencyKey: ascii('idempotency_key', { length: 128 }).notNull().default(''),
    /** Of the payment event that settled it. */
    reference: ascii('reference', { length: 128 }),
    createdAt: moment('created_at'),
    payBy: moment('pay_by'),
    settledAt: moment('settled_at'),
    refundedAt: moment('refunded_at'),
  },
  // Ids are made in the order of time, so that a page of a list is a range of this index.
  (table) => [index('orders_state').on(table.state, table.id)],
);

/** Each time a lane was built from these tables, why, and what was found wrong on the way. */
export const rebuilds = mysqlTable(
  'rebuilds',
  {
    lane: smallint('lane').notNull(),
    /** The epoch that it began. */
    epoch: position('epoch').notNull(),
    reason: varchar('reason', { length: 500 }).notNull(),
    startedAt: moment('started_at').notNull(),
    finishedAt: moment('finished_at'),
    holds: int('holds'),
    orders: int('orders'),
    findings: jsonOf<RebuildFinding[]>()('findings').notNull(),
  },
  (table) => [primaryKey({ columns: [table.lane, table.epoch] })],
);

/** The inbox: every payment event, committed before anything acts on it. Open without an outcome. */
export const paymentEvents = mysqlTable(
  'payment_events',
  {
    reference: ascii('reference', { length: 128 }).primaryKey(),
    orderId: varchar('order_id', { length: 64 }).notNull().default(''),
    status: ascii('status', { length: 16 }).$type<PaymentStatus>().notNull(),
    /** What was paid or refunded, where the event says so. */
    amountMinor: bigint('amount_minor', { mode: 'number' }),
    currency: ascii('currency', { length: 3 }),
    /** The provider's id of the payment; of a refund, what it gives back. */
    payment: ascii('payment', { length: 128 }),
    /** The same, of the first event that tells of its success: money is taken once. */
    succeeded: ascii('succeeded', { length: 128 }).unique('payment_events_succeeded'),
    /** Of a refund: whether its units are to be sold again. */
    returnsUnits: boolean('returns_units').notNull().default(false),
    receivedAt: moment('received_at').notNull(),
    outcome: ascii('outcome', { length: 16 }).$type<ReceiptOutcome>(),
    orderState: ascii('order_state', { length: 16 }),
    decidedAt: moment('decided_at'),
    /** When money that was due back went back, and the refund that says so. */
    refundedAt: moment('refunded_at'),
    refundedBy: ascii('refunded_by', { length: 128 }),
  },
  (table) => [
    index('payment_events_open').on(table.outcome, table.receivedAt),
    index('payment_events_order').on(table.orderId),
  ],
);

/** Changes of a total, asked for by ops. Without a position it is not in the journal yet. */
export const stockAdjustments = mysqlTable(
  'stock_adjustments',
  {
    productId: bigint('product_id', { mode: 'number' }).notNull(),
    key: ascii('key', { length: 128 }).notNull(),
    delta: bigint('delta', { mode: 'number' }).notNull(),
    createdAt: moment('created_at').notNull(),
    epoch: position('epoch'),
    sequence: position('sequence'),
  },
  (table) => [
    primaryKey({ columns: [table.productId, table.key] }),
    index('stock_adjustments_open').on(table.epoch, table.createdAt),
  ],
);
