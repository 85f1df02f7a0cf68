import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { MUTATIONS } from './mutations/all.ts';
import { runMutation } from './mutations/run.ts';
import { mysqlSigkill } from './rows/mysql.ts';
import { apiSigkill } from './rows/processes.ts';
import { oldSnapshotOvertaken, redisSigkill, restartLostNothing } from './rows/redis-data.ts';
import { replyDropped } from './rows/redis-network.ts';
import { doorbellLost, scriptFlush } from './rows/redis-service.ts';
import { tourOf } from './rows/tours.ts';
import { runRow } from './run.ts';
import { type Ground, prepareGround } from './world.ts';

// The short form of `npm run faults`: several faults in one sale each, one seed. What takes minutes,
// the table alone has.

const SEED = 1;
const OPERATIONS = 1_200;
const LIMIT_MS = 180_000;

const NOTHING_LOST = [
  ...[apiSigkill, replyDropped, scriptFlush, doorbellLost],
  ...[mysqlSigkill, restartLostNothing],
];
const REDIS_LOSES = [redisSigkill, oldSnapshotOvertaken];

let ground: Ground;

beforeAll(async () => {
  const project = fileURLToPath(new URL('../../', import.meta.url));
  ground = await prepareGround(project, () => {});
}, 120_000);

afterAll(() => ground.close());

test.for([
  ['faults that lose nothing', NOTHING_LOST],
  ['faults in which Redis loses data', REDIS_LOSES],
] as const)(
  '%s: lost 0, duplicated 0, oversold 0, drift 0',
  { timeout: LIMIT_MS },
  async ([, rows]) => {
    const options = { seed: SEED, operations: OPERATIONS, isShort: true, say: () => {} };
    const result = await runRow(ground, tourOf('tour', rows), options);
    expect(result.findings.texts, result.complaints.join('\n')).toEqual([]);
    expect(result.operations).toBeGreaterThanOrEqual(OPERATIONS);
    expect(result.acknowledged).toBeGreaterThan(OPERATIONS / 2);
  },
);

test('an engine that gives units back twice is caught', { timeout: LIMIT_MS }, async () => {
  const broken = MUTATIONS.filter(({ name }) => name === 'gives-back-twice');
  expect(broken).toHaveLength(1);
  for (const mutation of broken) {
    const { isCaught, result } = await runMutation(ground, mutation, {
      seed: SEED,
      operations: 600,
    });
    expect(isCaught).toBe(true);
    expect(result.findings.counts.drift).toBeGreaterThan(0);
  }
});
