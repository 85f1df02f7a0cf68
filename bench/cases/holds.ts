import { bare, bareLater, nodeHttp, rawHono, rowLock } from '../contenders/baselines.ts';
import { holdfast, holdfastApart } from '../contenders/holdfast.ts';
import { compare, cpuRatio, speedRatio } from './compare.ts';

/** Accepted holds while the writer persists them. */
export const holds = compare({
  name: 'holds',
  what: 'accepted holds, persisted meanwhile',
  title: 'Accepted holds, persisted meanwhile',
  question: 'hold',
  contenders: [nodeHttp, rawHono, bare, bareLater, rowLock, holdfast, holdfastApart],
  targets: (results) => [
    {
      what: `${holdfast.name}: accepted holds, against the row lock`,
      measured: speedRatio(results, holdfast.name, rowLock.name),
      atLeast: 10,
      unit: 'x',
    },
    {
      what: `${holdfastApart.name}: CPU of the API process for a hold, against bare`,
      measured: cpuRatio(results, holdfastApart.name, bare.name),
      atMost: 1.5,
      unit: 'x',
    },
  ],
});
