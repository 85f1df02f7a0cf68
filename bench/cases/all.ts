import { apiMemory } from './api-memory.ts';
import type { Case } from './case.ts';
import { connections } from './connections.ts';
import { dueAtOnce } from './due-at-once.ts';
import { flashSale } from './flash-sale.ts';
import { generatorCase } from './generator.ts';
import { history } from './history.ts';
import { holds } from './holds.ts';
import { keyed } from './keyed.ts';
import { liveHolds } from './live-holds.ts';
import { orders } from './orders.ts';
import { processes } from './processes.ts';
import { products } from './products.ts';
import { reads } from './reads.ts';
import { rebuild } from './rebuild.ts';
import { reconcile } from './reconcile.ts';
import { redisMemory } from './redis-memory.ts';
import { soldOut } from './sold-out.ts';
import { stream } from './stream.ts';
import { sustained } from './sustained.ts';
import { writer } from './writer.ts';

/** In the order of their sections. */
export const CASES: readonly Case[] = [
  generatorCase,
  holds,
  connections,
  keyed,
  orders,
  writer,
  sustained,
  flashSale,
  soldOut,
  reads,
  liveHolds,
  products,
  processes,
  dueAtOnce,
  stream,
  redisMemory,
  rebuild,
  history,
  reconcile,
  apiMemory,
];
