import { bare, rawHono } from '../contenders/baselines.ts';
import { holdfast } from '../contenders/holdfast-setups.ts';
import { compare, speedRatio } from './compare.ts';

/** `GET /api/products/{id}` with the stock of the moment. */
export const reads = compare({
  name: 'reads',
  what: 'a product and its stock',
  title: 'Product reads',
  question: 'read',
  contenders: [rawHono, bare, holdfast],
  targets: (results) => [
    {
      what: `${holdfast.name}: reads, against bare`,
      measured: speedRatio(results, holdfast.name, bare.name),
      atLeast: 0.9,
      unit: 'x',
    },
  ],
});
