import type { Contender, Task } from '../contenders/contender.ts';
import { Holdfast } from '../contenders/holdfast.ts';
import { holdfast } from '../contenders/holdfast-setups.ts';
import { inTurn } from '../contenders/sending.ts';
import { postRequest } from '../load/generator.ts';
import { comparison, twoDigits, whole } from '../report.ts';
import { runRounds } from '../rounds.ts';
import { type Case, scaled } from './case.ts';
import { speedRatio } from './compare.ts';

const PRODUCTS = 10_000;
const HOT = 1_000;
const STOCK = 1_000_000;
const SPEED_TIMES_MIN = 0.8;

/** The same Holdfast with so many products, of which some are asked for, in turn. */
const manyProducts = (count: number, hot: number): Contender => ({
  name: `${whole(count)} products`,
  what: `${whole(hot)} of them are sold`,
  open: async (bench) => {
    const subject = await Holdfast.open(bench, { roles: 'together' });
    const { port, api } = subject;
    const prepare = async (): Promise<Task> => {
      const ids = await subject.createProducts(count, STOCK);
      const requests = ids
        .slice(0, hot)
        .map((id) => postRequest('/api/holds', { product_id: id, qty: 1 }));
      return {
        sending: inTurn(requests),
        status: 201,
        settle: () => subject.settle(),
        audit: (holds) => subject.audit(ids, STOCK, { holds }),
      };
    };
    return { port, api, prepare, close: () => subject.close() };
  },
});

/** Whether it matters how many products are on sale. */
export const products: Case = {
  name: 'products',
  what: `accepted holds of one product, and of ${whole(HOT)} among ${whole(PRODUCTS)}`,
  run: async (bench, plan) => {
    const [count, hot] = [scaled(PRODUCTS, plan), scaled(HOT, plan)];
    const one: Contender = { ...holdfast, name: 'one product' };
    const many = manyProducts(count, hot);
    const results = await runRounds(bench, [one, many], 'hold', plan);
    const { rounds, seconds, connections } = plan;
    const plural = rounds === 1 ? 'round' : 'rounds';
    return {
      title: 'Many products',
      notes: [
        `${connections} connections, medians of ${rounds} ${plural} of ${seconds} s in turn; all ` +
          `roles in one process. Of ${whole(count)} products ${whole(hot)} are sold, one hold of each in ` +
          'turn. All products are audited.',
      ],
      ...comparison(results, {
        'x one': ({ name }) => twoDigits(speedRatio(results, name, one.name)),
      }),
      targets: [
        {
          what: `holds of ${whole(hot)} products among ${whole(count)}, against one product`,
          measured: speedRatio(results, many.name, one.name),
          atLeast: SPEED_TIMES_MIN,
          unit: 'x',
        },
      ],
      json: results,
    };
  },
};
