import { setTimeout as sleep } from 'node:timers/promises';
import type { RowDataPacket } from 'mysql2/promise';
import { AuditFailed } from '../contenders/contender.ts';
import { Holdfast } from '../contenders/holdfast.ts';
import { postRequest } from '../load/generator.ts';
import { takeHolds } from '../load/take.ts';
import { whole } from '../report.ts';
import { median } from '../rounds.ts';
import type { Case } from './case.ts';

const HOLDS = 100_000;
const MS_MAX = 60_000;
const ASK_EVERY_MS = 20;

// From the loss until a buyer gets a hold again: until it is noticed, the rebuild, and the retry.
async function outage({ port }: Holdfast, hold: string): Promise<number> {
  const startedAt = performance.now();
  const body = hold.slice(hold.indexOf('\r\n\r\n') + 4);
  const headers = { 'content-type': 'application/json' };
  while (performance.now() - startedAt < MS_MAX) {
    const url = `http://127.0.0.1:${port}/api/holds`;
    const { status } = await fetch(url, { method: 'POST', headers, body });
    if (status === 201) return performance.now() - startedAt;
    await sleep(ASK_EVERY_MS);
  }
  throw new AuditFailed(`no hold ${MS_MAX / 1_000} s after the loss of Redis`);
}

/** How long a sale stands still when Redis has lost everything. */
export const rebuild: Case = {
  name: 'rebuild',
  what: `time from the loss of Redis to the next hold, with ${whole(HOLDS)} live holds`,
  run: async (bench, { connections, rounds }) => {
    const subject = await Holdfast.open(bench, { roles: 'together' });
    try {
      const stock = HOLDS * 2;
      const id = await subject.createProduct(stock);
      const hold = postRequest('/api/holds', { product_id: id, qty: 1 });
      await takeHolds(bench, subject.port, id, { connections, count: HOLDS });
      let held = HOLDS;
      const outages: number[] = [];
      for (let round = 0; round < rounds; round += 1) {
        await subject.settle();
        await subject.stores.redis.flushdb();
        outages.push(await outage(subject, hold));
        held += 1;
      }
      await subject.settle();
      await subject.audit(id, stock, { holds: held });
      const [rows] = await subject.stores.mysql.query<RowDataPacket[]>(
        'SELECT TIMESTAMPDIFF(MICROSECOND, started_at, finished_at) / 1000 AS ms FROM rebuilds' +
          ' WHERE holds > 0',
      );
      const rebuildMs = median(rows.map(({ ms }) => Number(ms)));
      const outageMs = median(outages);
      return {
        title: 'Redis has lost everything',
        notes: [`${whole(HOLDS)} live holds, ${rounds} losses by FLUSHDB; medians.`],
        head: ['', 'seconds'],
        rows: [
          ['the rebuild', (rebuildMs / 1_000).toFixed(2)],
          ['from the loss to the next hold', (outageMs / 1_000).toFixed(2)],
        ],
        targets: [{ what: 'the rebuild', measured: rebuildMs / 1_000, atMost: 10, unit: 's' }],
        json: { holds: HOLDS, rebuildMs, outageMs },
      };
    } finally {
      await subject.close();
    }
  },
};
