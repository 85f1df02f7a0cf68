import { bare, rawHono, rowLock } from '../contenders/baselines.ts';
import { holdfast } from '../contenders/holdfast.ts';
import { compare } from './compare.ts';

/** What most requests of a flash sale get. */
export const soldOut = compare({
  name: 'sold-out',
  what: 'refusals of a product that is sold out',
  title: 'Sold out answers',
  question: 'sold-out',
  contenders: [rawHono, bare, rowLock, holdfast],
  targets: () => [],
});
