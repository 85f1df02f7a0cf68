import { bare, rawHono } from '../contenders/baselines.ts';
import { holdfast, holdfastApart } from '../contenders/holdfast-setups.ts';
import { rowLock } from '../contenders/row-lock.ts';
import type { Target } from '../report.ts';
import type { Result } from '../rounds.ts';
import { cpuRatio, speedRatio } from './compare.ts';

const REDIS_US_MAX = 10;

/** What accepted holds are to reach against whoever else took part. */
export function holdTargets(results: Result[]): Target[] {
  const speed = (against: string, atLeast: number, told = against): Target => ({
    what: `${holdfast.name}: accepted holds, against ${told}`,
    measured: speedRatio(results, holdfast.name, against),
    atLeast,
    unit: 'x',
  });
  const cpu = (against: string, atMost: number): Target => ({
    what: `${holdfastApart.name}: CPU of the API process for a hold, against ${against}`,
    measured: cpuRatio(results, holdfastApart.name, against),
    atMost,
    unit: 'x',
  });
  return [
    speed(bare.name, 0.75),
    speed(rawHono.name, 0.6),
    speed(rowLock.name, 15, 'the row lock'),
    cpu(bare.name, 1.2),
    cpu(rawHono.name, 1.25),
    {
      what: `${holdfast.name}: CPU of Redis for a hold`,
      measured: results.find(({ name }) => name === holdfast.name)?.medians.redisUs ?? Number.NaN,
      atMost: REDIS_US_MAX,
      unit: 'us',
    },
  ];
}
