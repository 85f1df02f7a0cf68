import type { Contender } from '../contenders/contender.ts';
import { holdfastApart, holdfastTwoApis } from '../contenders/holdfast-setups.ts';
import { comparison, oneDigit, twoDigits } from '../report.ts';
import { type Drive, runRounds } from '../rounds.ts';
import type { Case } from './case.ts';
import { cpuRatio, speedRatio } from './compare.ts';

const CPU_TIMES_MAX = 1.05;
/** As many times a round: each of two processes sees only half of it. */
const WARM_UP_ROUNDS = 4;
const TWICE: Contender = {
  ...holdfastTwoApis,
  name: 'Holdfast (two APIs, as busy each)',
  what: 'the same with twice the connections',
};

/** Whether a second process of the API costs what it should: nothing but its share. */
export const processes: Case = {
  name: 'processes',
  what: 'accepted holds of one and of two processes of the API',
  run: async (bench, plan) => {
    const [one, two] = [holdfastApart, holdfastTwoApis];
    const { rounds, seconds, connections } = plan;
    const warm = { ...plan, warmUpSeconds: WARM_UP_ROUNDS * seconds };
    const drive: Drive = (load, name) =>
      bench.generator.run(name === TWICE.name ? { ...load, connections: 2 * connections } : load);
    const results = await runRounds(bench, [one, two, TWICE], 'hold', warm, drive);
    const plural = rounds === 1 ? 'round' : 'rounds';
    return {
      title: 'Two processes of the API',
      notes: [
        `${connections} connections, half of them to each process where there are two; as busy each: ` +
          `${connections} to each process. A process that fewer wait for brings fewer holds together ` +
          `in one call of Redis. Medians of ` +
          `${rounds} ${plural} of ${seconds} s in turn. API CPU is the sum of all processes of the ` +
          'API for one hold. The generator, Redis and MySQL need the same cores.',
      ],
      ...comparison(results, {
        'generator CPU us': ({ medians }) => oneDigit(medians.generatorUs),
        'x one': ({ name }) => twoDigits(speedRatio(results, name, one.name)),
        'CPU x one': ({ name }) => twoDigits(cpuRatio(results, name, one.name)),
      }),
      targets: [two, TWICE].map(({ name }) => ({
        what: `${name}: CPU of the API for a hold, against one process`,
        measured: cpuRatio(results, name, one.name),
        atMost: CPU_TIMES_MAX,
        unit: 'x',
      })),
      json: results,
    };
  },
};
