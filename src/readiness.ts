import type { Database } from './db/client.ts';
import { Deadline, within } from './domain/deadline.ts';
import type { LaneLink } from './redis/link.ts';

const READY_LIMIT_MS = 1_000;

/** Whether both servers answer and every lane is open; each check says `ok`, or why not. */
export async function readiness(link: LaneLink, database: Database, lanes: number) {
  const deadline = new Deadline(READY_LIMIT_MS);
  const checks: Record<string, string> = {};
  const check = async (name: string, work: () => Promise<unknown>) => {
    checks[name] = await work().then(
      () => 'ok',
      (error: Error) => error.message,
    );
  };
  await Promise.all([
    check('redis', () => within(deadline, 'Redis', link.redis.ping())),
    check('mysql', () => within(deadline, 'MySQL', database.pool.query('SELECT 1'))),
    check('lanes', async () => {
      for (let lane = 0; lane < lanes; lane += 1) link.gate(lane);
    }),
  ]);
  return { ok: Object.values(checks).every((result) => result === 'ok'), checks };
}
