import { setTimeout as sleep } from 'node:timers/promises';
import { parseInfo } from '../../src/redis/client.ts';
import { laneKey, outboxKey } from '../../src/redis/keys.ts';
import { AuditFailed } from '../contenders/contender.ts';
import { Holdfast } from '../contenders/holdfast.ts';
import { takeHolds } from '../load/take.ts';
import { whole } from '../report.ts';
import type { Case } from './case.ts';

const HOLDS = 100_000;
const TRIM_MS_MAX = 30_000;
const LANE = 0;

async function usedBytes({ stores }: Holdfast): Promise<number> {
  return Number(parseInfo(await stores.redis.info('memory')).get('used_memory'));
}

// The journal keeps what is committed for some seconds, for diagnosis.
async function trimmed({ stores }: Holdfast): Promise<void> {
  const giveUpAt = performance.now() + TRIM_MS_MAX;
  while ((await stores.redis.xlen(outboxKey(LANE))) > 0) {
    if (performance.now() > giveUpAt) throw new AuditFailed('the journal was not trimmed');
    await sleep(100);
  }
}

/** What a live hold costs in Redis once MySQL has it. */
export const redisMemory: Case = {
  name: 'redis-memory',
  what: `what a live hold keeps of Redis once it is persisted, over ${whole(HOLDS)} holds`,
  run: async (bench, { connections }) => {
    const subject = await Holdfast.open(bench, { roles: 'together' });
    try {
      const id = await subject.createProduct(HOLDS);
      await subject.settle();
      await trimmed(subject);
      const before = await usedBytes(subject);
      await takeHolds(bench, subject.port, id, { connections, count: HOLDS });
      await subject.settle();
      const persisted = await usedBytes(subject);
      await trimmed(subject);
      const after = await usedBytes(subject);
      await subject.audit(id, HOLDS, { holds: HOLDS });
      const bytes = (after - before) / HOLDS;
      return {
        title: 'Redis memory of a live hold',
        notes: [],
        head: ['', 'bytes a hold'],
        rows: [
          ['persisted, its journal entry trimmed', whole(bytes)],
          ['persisted just now, journal not trimmed', whole((persisted - before) / HOLDS)],
        ],
        targets: [
          { what: 'Redis memory of a live hold', measured: bytes, atMost: 600, unit: 'bytes' },
        ],
        json: { holds: HOLDS, bytes, lane: await subject.stores.redis.hgetall(laneKey(LANE)) },
      };
    } finally {
      await subject.close();
    }
  },
};
