import { apiMemory } from './api-memory.ts';
import type { Case } from './case.ts';
import { connections } from './connections.ts';
import { generatorCase } from './generator.ts';
import { history } from './history.ts';
import { holds } from './holds.ts';
import { keyed } from './keyed.ts';
import { orders } from './orders.ts';
import { reads } from './reads.ts';
import { rebuild } from './rebuild.ts';
import { reconcile } from './reconcile.ts';
import { redisMemory } from './redis-memory.ts';
import { soldOut } from './sold-out.ts';
import { stream } from './stream.ts';
import { writer } from './writer.ts';

/** In the order of their sections. */
export const CASES: readonly Case[] = [
  generatorCase,
  holds,
  connections,
  keyed,
  orders,
  writer,
  soldOut,
  reads,
  stream,
  redisMemory,
  rebuild,
  history,
  reconcile,
  apiMemory,
];
