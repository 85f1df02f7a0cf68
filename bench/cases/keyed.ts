import { bare } from '../contenders/baselines.ts';
import { holdfast, holdfastApart } from '../contenders/holdfast-setups.ts';
import { compare, cpuRatio } from './compare.ts';

/** Holds as a careful shop asks for them. */
export const keyed = compare({
  name: 'keyed',
  what: 'holds with an Idempotency-Key and a buyer each, of a product with max_per_buyer',
  title: 'Holds with a key, for counted buyers',
  question: 'keyed',
  note: 'Each request has an `Idempotency-Key` and a buyer of its own; the product limits units per buyer.',
  contenders: [bare, holdfast, holdfastApart],
  targets: (results) => [
    {
      what: `${holdfastApart.name}: CPU of the API process for a hold, against bare`,
      measured: cpuRatio(results, holdfastApart.name, bare.name),
      atMost: 1.5,
      unit: 'x',
    },
  ],
});
