import { bare, bareLater, nodeHttp, plainDecr, rawHono } from '../contenders/baselines.ts';
import { holdfast, holdfastApart, oneCallEach } from '../contenders/holdfast-setups.ts';
import { rowLock } from '../contenders/row-lock.ts';
import { compare } from './compare.ts';
import { holdTargets } from './hold-targets.ts';

/** Accepted holds while the writer persists them. */
export const holds = compare({
  name: 'holds',
  what: 'accepted holds, persisted meanwhile',
  title: 'Accepted holds, persisted meanwhile',
  question: 'hold',
  contenders: [
    ...[nodeHttp, rawHono, bare, bareLater, plainDecr],
    ...[rowLock, holdfast, holdfastApart, oneCallEach],
  ],
  targets: holdTargets,
});
