import { Queue } from 'bullmq';
import type { Database } from '../../db/client.ts';
import { examineAll } from '../../recovery/examine.ts';
import { bullConnection } from '../../redis/client.ts';
import { BULL_PREFIX } from '../../redis/keys.ts';
import type { LaneLink } from '../../redis/link.ts';
import { DRAIN_QUEUE } from '../../writer/doorbell.ts';
import { LAG_MAX_MS } from '../../writer/lag.ts';
import { type LaneLag, readLaneLag } from '../lane-lag.ts';
import { bad, type Check, either, ok, warn } from './check.ts';

const ADVICE = {
  fine: '',
  reopen: 'A running Holdfast opens it within a second: is one running?',
  rebuild: 'A running Holdfast rebuilds it from MySQL: is one running?',
  drift: 'Run "holdfast reconcile", then "holdfast reconcile --fix": the lane opens by itself.',
  dead_letters:
    'Mend the tables, then "holdfast dead-letters replay --all": the lane opens by itself.',
  mysql_behind: 'Find the right MySQL first; else "holdfast rebuild --accept-mysql".',
  wrong_database: 'Check MYSQL_URL and REDIS_URL: they do not belong together.',
};

const lagOf = ({ backlog, lagMs }: LaneLag) =>
  backlog === 0 ? 'MySQL has everything' : `${backlog} transitions for ${lagMs} ms`;

/** Whether lanes are open, and how far MySQL is behind each. */
export async function checkLanes(
  link: LaneLink,
  database: Database,
  lanes: number,
): Promise<Check[]> {
  const checks: Check[] = [];
  for (const examined of await examineAll(link, database, lanes)) {
    const { lane, verdict, reason, found, watermark } = examined;
    const what = `lane ${lane}`;
    if (verdict !== 'fine') {
      checks.push(bad(what, reason, ADVICE[verdict]));
      continue;
    }
    const lag = await readLaneLag(link, lane, watermark);
    const told = `open, epoch ${found?.epoch}; ${lagOf(lag)}`;
    const behind = 'Orders and payments are refused: is MySQL slow, or no process a writer?';
    checks.push(either(lag.lagMs <= LAG_MAX_MS, ok(what, told), bad(what, told, behind)));
  }
  return checks;
}

/** Whether writers listen to the doorbell. */
export async function checkQueue(redisUrl: string): Promise<Check[]> {
  const connection = bullConnection(redisUrl, 'queue', () => true);
  const queue = new Queue(DRAIN_QUEUE, { prefix: BULL_PREFIX, connection, skipVersionCheck: true });
  queue.on('error', () => {});
  try {
    await queue.waitUntilReady();
    const workers = await queue.getWorkersCount();
    const { failed = 0 } = await queue.getJobCounts('failed');
    const none = 'Nothing is persisted: start a process with the role writer.';
    return [
      either(
        workers > 0,
        ok('writers', `${workers} on the drain queue`),
        bad('writers', 'none on the drain queue', none),
      ),
      either(
        failed === 0,
        ok('failed jobs', '0'),
        warn('failed jobs', String(failed), 'Harmless: writers drain once a second without them.'),
      ),
    ];
  } finally {
    await queue.close();
  }
}
