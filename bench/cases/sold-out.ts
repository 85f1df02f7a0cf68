import { bare, rawHono } from '../contenders/baselines.ts';
import { holdfast } from '../contenders/holdfast-setups.ts';
import { rowLock } from '../contenders/row-lock.ts';
import { compare, speedRatio } from './compare.ts';

/** What most requests of a flash sale get. */
export const soldOut = compare({
  name: 'sold-out',
  what: 'refusals of a product that is sold out',
  title: 'Sold out answers',
  question: 'sold-out',
  contenders: [rawHono, bare, rowLock, holdfast],
  targets: (results) => [
    {
      what: `${holdfast.name}: refusals, against bare`,
      measured: speedRatio(results, holdfast.name, bare.name),
      atLeast: 0.95,
      unit: 'x',
    },
  ],
});
