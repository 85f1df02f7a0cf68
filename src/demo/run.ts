import type { WriteStream } from 'node:tty';
import { audit } from './audit.ts';
import { openSale } from './crowd.ts';
import { showProgress } from './progress.ts';
import { type Report, reportOf } from './report.ts';
import type { Plan } from './sale.ts';
import { Stores } from './stores.ts';

export interface DemoServers {
  redisUrl: string;
  mysqlUrl: string;
}

/**
 * Runs the whole sale against the shop at `plan.url`, waits until all of it has ended, and audits
 * both stores. Shows on `stream`, if there is one, how it goes. Whatever was found is in the report; throws only when
 * a server cannot be reached.
 */
export async function runDemo(
  plan: Plan,
  { redisUrl, mysqlUrl }: DemoServers,
  stream: WriteStream | undefined,
): Promise<Report> {
  const stores = await Stores.open(redisUrl, mysqlUrl);
  const { sale, finished } = openSale(plan);
  const progress = stream && showProgress(sale, stream);
  try {
    await finished;
    const seconds = sale.ledger.elapsedMs() / 1_000;
    progress?.say('waiting for the last units, then auditing both stores');
    return reportOf(sale, seconds, await audit(stores, plan, sale.ledger));
  } finally {
    progress?.stop();
    sale.shop.close();
    await stores.close();
  }
}
