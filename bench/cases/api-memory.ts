import type { RowDataPacket } from 'mysql2/promise';
import { AuditFailed, type Bench, mustBe } from '../contenders/contender.ts';
import { Holdfast } from '../contenders/holdfast.ts';
import type { Usage } from '../ipc.ts';
import { getRequest, postRequest } from '../load/generator.ts';
import { oneDigit, whole } from '../report.ts';
import type { Plan } from '../rounds.ts';
import { type Case, scaled } from './case.ts';

const MARKS = [500_000, 1_000_000, 1_500_000, 2_000_000];
/** Short, so that holds come and go, and the stores stay small. */
const HOLD_TTL_SECONDS = 5;
const PLENTY = 1_000_000_000;

const mib = (bytes: number) => bytes / 2 ** 20;

// Two holds that are granted, two that are refused, one read, in turn.
async function mixture(subject: Holdfast): Promise<{ requests: string[]; plenty: number }> {
  const plenty = await subject.createProduct(PLENTY, { hold_ttl_seconds: HOLD_TTL_SECONDS });
  const few = await subject.createProduct(0);
  const granted = postRequest('/api/holds', { product_id: plenty, qty: 1, buyer: 'buyer-1' });
  const refused = postRequest('/api/holds', { product_id: few, qty: 1, buyer: 'buyer-1' });
  return {
    requests: [granted, refused, granted, refused, getRequest(`/api/products/${plenty}`)],
    plenty,
  };
}

async function measure(bench: Bench, subject: Holdfast, plan: Plan, say: Say) {
  const { connections } = plan;
  const { requests, plenty } = await mixture(subject);
  const marks: { requests: number; usage: Usage }[] = [];
  let done = 0;
  let accepted = 0;
  for (const mark of MARKS.map((it) => scaled(it, plan))) {
    const load = { port: subject.port, requests, connections, count: mark - done };
    const { statuses } = await bench.generator.run(load);
    const unexpected = Object.keys(statuses).filter((it) => !['200', '201', '409'].includes(it));
    if (unexpected.length > 0) throw new AuditFailed(`answers ${JSON.stringify(statuses)}`);
    done = mark;
    accepted += statuses[201] ?? 0;
    await subject.untilBack(plenty);
    await subject.settle();
    const usage = await subject.api.ask<Usage>('collectGarbage');
    marks.push({ requests: mark, usage });
    say(`${whole(mark)} requests: heap ${oneDigit(mib(usage.heapBytes))} MiB`);
  }
  const [[rows]] = await subject.stores.mysql.query<RowDataPacket[]>(
    'SELECT COUNT(*) AS persisted FROM hold_items WHERE product_id = ?',
    [plenty],
  );
  mustBe('holdfast, in MySQL', rows ?? {}, { persisted: accepted });
  return marks;
}

type Say = (line: string) => void;

/** Whether the API's memory grows with the requests that it has answered. */
export const apiMemory: Case = {
  name: 'memory',
  what: `heap of the API process over ${whole(MARKS.at(-1) ?? 0)} requests`,
  isLong: true,
  run: async (bench, plan, say) => {
    const subject = await Holdfast.open(bench, { roles: 'together' });
    try {
      const marks = await measure(bench, subject, plan, say);
      const [first, last] = [marks[0], marks.at(-1)];
      const growth = (last?.usage.heapBytes ?? 0) / (first?.usage.heapBytes ?? 0);
      return {
        title: 'Memory of the API process',
        notes: [
          'Heap after a forced collection, once all holds have run out. Of five requests two are ' +
            `holds of ${HOLD_TTL_SECONDS} s, two are refused as sold out, one reads the product.`,
        ],
        head: ['requests', 'heap MiB', 'resident MiB'],
        rows: marks.map(({ requests, usage }) => [
          whole(requests),
          oneDigit(mib(usage.heapBytes)),
          whole(mib(usage.rssBytes)),
        ]),
        targets: [
          {
            what:
              `heap at ${whole(last?.requests ?? 0)} requests, ` +
              `against ${whole(first?.requests ?? 0)}`,
            measured: growth,
            atMost: 1.05,
            unit: 'x',
          },
        ],
        json: marks,
      };
    } finally {
      await subject.close();
    }
  },
};
