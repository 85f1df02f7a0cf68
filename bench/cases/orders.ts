import { holdfast, holdfastApart } from '../contenders/holdfast-setups.ts';
import { rowLock } from '../contenders/row-lock.ts';
import { compare, speedRatio } from './compare.ts';

const P99_MS_MAX = 50;

/** What a buyer waits for once: an order that outlives any crash. */
export const orders = compare({
  name: 'orders',
  what: 'orders of holds, each durable in MySQL before its answer',
  title: 'Orders, durable before their answer',
  question: 'order',
  note:
    'The holds are made before each round. An order of the row lock locks and changes the row of ' +
    "its hold and inserts its own, and leaves the product's row alone.",
  contenders: [rowLock, holdfast, holdfastApart],
  targets: (results) => [
    {
      what: `${holdfast.name}: orders, against the row lock`,
      measured: speedRatio(results, holdfast.name, rowLock.name),
      atLeast: 4,
      unit: 'x',
    },
    {
      what: `${holdfast.name}: p99 of an order`,
      measured: results.find(({ name }) => name === holdfast.name)?.medians.p99Ms ?? Number.NaN,
      atMost: P99_MS_MAX,
      unit: 'ms',
    },
  ],
});
