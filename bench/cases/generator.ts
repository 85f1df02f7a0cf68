import { nodeHttp } from '../contenders/baselines.ts';
import { oneDigit, twoDigits, whole } from '../report.ts';
import { runRounds } from '../rounds.ts';
import type { Case } from './case.ts';

/** Whether the load generator can ask for more than any contender can answer. */
export const generatorCase: Case = {
  name: 'generator',
  what: "what the load generator reaches against Node's own HTTP server",
  run: async (bench, plan) => {
    const results = await runRounds(bench, [nodeHttp], 'hold', plan);
    const { perSecond, p99Ms, apiUs, generatorUs } = results[0]?.medians ?? { perSecond: 0 };
    return {
      title: 'The load generator',
      notes: ['At most is what its CPU time would allow on a core of its own.'],
      head: ['', 'answers/s', 'p99 ms', 'server CPU us', 'generator CPU us', 'at most'],
      rows: [
        [
          'node:http',
          whole(perSecond),
          twoDigits(p99Ms ?? 0),
          oneDigit(apiUs ?? 0),
          oneDigit(generatorUs ?? 0),
          whole(1e6 / (generatorUs ?? 0)),
        ],
      ],
      targets: [],
      json: results,
    };
  },
};
