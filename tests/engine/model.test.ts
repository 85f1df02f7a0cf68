import fc from 'fast-check';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startExpiry } from '../../src/expiry/expiry.ts';
import { expectBooksBalance } from '../support/books.ts';
import { startEngine, type TestEngine } from '../support/engine.ts';
import { anyAction } from './model/actions.ts';
import { anyMove, newCrowd, watch } from './model/crowd.ts';
import { expectNoContradiction } from './model/crowd-checks.ts';
import { expectRows } from './model/rows.ts';
import { newWorld, steps } from './model/world.ts';

// MODEL_RUNS=1000 looks longer; MODEL_SEED repeats what a failure printed as its seed.
const RUNS = Number(process.env.MODEL_RUNS ?? 16);
const SEED = process.env.MODEL_SEED;
const STEPS_MAX = 100;
const LIMIT_MS = 60_000 + RUNS * 5_000;

const parameters = {
  numRuns: RUNS,
  // A failure is shrunk for as long as this leaves.
  interruptAfterTimeLimit: LIMIT_MS - 30_000,
  ...(SEED === undefined ? {} : { seed: Number(SEED) }),
};

describe.each([
  { name: 'with the expiry role', isExpiryOn: true },
  { name: 'with nobody but the scripts to end what is overdue', isExpiryOn: false },
])('the engine answers as the books do, $name', ({ isExpiryOn }) => {
  let t: TestEngine;
  beforeAll(async () => {
    // The reconciler would settle open receipts behind the books' back.
    const roles = isExpiryOn
      ? (['api', 'writer', 'expiry'] as const)
      : (['api', 'writer'] as const);
    t = await startEngine({ config: { lanes: 2, roles } });
  });
  afterAll(() => t.stop());

  test(
    'and both stores have the same rows in the end',
    async () => {
      const property = fc.asyncProperty(steps(anyAction, STEPS_MAX), async (commands) => {
        const { model, world, prefix } = await newWorld(t, isExpiryOn);
        await fc.asyncModelRun(() => ({ model, real: world }), commands);
        const { link, config, drain } = t;
        const options = {
          link,
          lanes: config.lanes,
          ring: () => {},
          log: pino({ level: 'silent' }),
        };
        const expiry = isExpiryOn ? undefined : startExpiry(options);
        try {
          await world.settled(model);
        } finally {
          await expiry?.close();
        }
        for (let lane = 0; lane < config.lanes; lane += 1) await drain(lane);
        await expectRows(t, model.ledger, prefix);
      });
      await fc.assert(property, parameters);
      await expectBooksBalance(t);
    },
    LIMIT_MS,
  );
});

test(
  'clients who do as they like, all at once, are never told what is not so',
  async () => {
    const t = await startEngine();
    const other = await t.another();
    let count = 0;
    const clients = fc.array(fc.array(anyMove, { minLength: 10, maxLength: 30, size: 'max' }), {
      minLength: 4,
      maxLength: 16,
      size: 'max',
    });
    const property = fc.asyncProperty(clients, async (all) => {
      count += 1;
      const crowd = await newCrowd(t, `crowd-${count}`);
      let isOver = false;
      const watching = watch(t, crowd, () => isOver);
      const working = all.map((moves, at) => crowd.client(at % 2 === 0 ? t : other, moves));
      const worked = Promise.all(working).finally(() => {
        isOver = true;
      });
      await Promise.all([worked, watching]);
      expect(crowd.exchanges).toHaveLength(all.flat().length);
      await expectBooksBalance(t);
      await expectNoContradiction(t, crowd);
    });
    await fc.assert(property, { ...parameters, numRuns: Math.ceil(RUNS / 2), endOnFailure: true });
    await t.stop();
  },
  LIMIT_MS,
);
