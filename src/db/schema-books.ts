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
import type { Finding } from '../domain/finding.ts';
import type { Transition, UnitsByProduct } from '../domain/journal.ts';
import type { Counters } from '../domain/product.ts';
import { ascii, jsonOf, moment, position, units } from './columns.ts';

// What the books have to tell about themselves: history, what was found wrong, what is to be done.

/** A product whose counters differed at a mark; null where Redis had no such product. */
export interface MarkDifference {
  productId: number;
  expected: Counters;
  found: Counters | null;
}

/** Every transition of every reservation, unless HISTORY says `last`. */
export const transitions = mysqlTable(
  'transitions',
  {
    /** Of the hold and its order, without a prefix. */
    reservation: ascii('reservation', { length: 40 }).notNull(),
    version: int('version').notNull(),
    lane: smallint('lane').notNull(),
    epoch: position('epoch').notNull(),
    sequence: position('sequence').notNull(),
    fromState: ascii('from_state', { length: 16 }).notNull(),
    toState: ascii('to_state', { length: 16 }).notNull(),
    at: moment('at').notNull(),
    /** Of the payment event that caused it, or ''. */
    reference: ascii('reference', { length: 128 }).notNull(),
  },
  (table) => [primaryKey({ columns: [table.reservation, table.version] })],
);

/** Journalled transitions that no row would take. Their units have moved; their rows have not. */
export const deadLetters = mysqlTable(
  'dead_letters',
  {
    lane: smallint('lane').notNull(),
    epoch: position('epoch').notNull(),
    sequence: position('sequence').notNull(),
    /** Place among the transitions of its entry. */
    ordinal: int('ordinal').notNull(),
    kind: ascii('kind', { length: 16 }).$type<Transition['kind']>().notNull(),
    /** Whose later transitions follow it here; '' for none. */
    reservation: ascii('reservation', { length: 40 }).notNull(),
    payload: jsonOf<Transition>()('payload').notNull(),
    /** What it did to counters: `stock` has that, rows have not. */
    units: jsonOf<UnitsByProduct>()('units').notNull(),
    error: varchar('error', { length: 500 }).notNull(),
    at: moment('at').notNull(),
    replayedAt: moment('replayed_at'),
  },
  (table) => [
    primaryKey({ columns: [table.lane, table.epoch, table.sequence, table.ordinal] }),
    index('dead_letters_open').on(table.lane, table.replayedAt),
  ],
);

/** Where the audit of the journal found Redis' counters of a product to differ from the fold. */
export const drifts = mysqlTable(
  'drifts',
  {
    lane: smallint('lane').notNull(),
    /** The first entry that showed it. */
    epoch: position('epoch').notNull(),
    sequence: position('sequence').notNull(),
    productId: bigint('product_id', { mode: 'number' }).notNull(),
    expected: jsonOf<Counters>()('expected').notNull(),
    found: jsonOf<Counters>()('found').notNull(),
    at: moment('at').notNull(),
    /** When an entry showed that they agree again. */
    resolvedAt: moment('resolved_at'),
  },
  (table) => [
    primaryKey({ columns: [table.lane, table.epoch, table.sequence, table.productId] }),
    index('drifts_open').on(table.lane, table.resolvedAt),
  ],
);

/** Redis' counters at a position of the journal, compared with `stock` at that very position. */
export const marks = mysqlTable('marks', {
  id: ascii('id', { length: 32 }).primaryKey(),
  lane: smallint('lane').notNull(),
  epoch: position('epoch').notNull(),
  sequence: position('sequence').notNull(),
  at: moment('at').notNull(),
  differences: jsonOf<MarkDifference[]>()('differences').notNull(),
});

/** Runs of the reconciliation, and what they found. */
export const reconciliations = mysqlTable(
  'reconciliations',
  {
    id: ascii('id', { length: 40 }).primaryKey(),
    cause: ascii('cause', { length: 16 }).$type<'command' | 'request' | 'schedule'>().notNull(),
    /** Only this product's books; null for all. */
    productId: bigint('product_id', { mode: 'number' }),
    fixes: boolean('fixes').notNull(),
    startedAt: moment('started_at').notNull(),
    finishedAt: moment('finished_at'),
    /** Units by which two accounts differed. */
    drift: units('drift'),
    /** All of them are counted; of very many, only the first are listed. */
    found: int('found'),
    repaired: int('repaired'),
    findings: jsonOf<Finding[]>()('findings'),
  },
  (table) => [index('reconciliations_started').on(table.startedAt)],
);
