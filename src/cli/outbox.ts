import { Command } from 'commander';
import { openDatabase } from '../db/client.ts';
import { examineAll } from '../recovery/examine.ts';
import { LAG_MAX_MS } from '../writer/lag.ts';
import { readCommandConfig, serversOf } from './connect.ts';
import { readLaneLag } from './lane-lag.ts';
import { withLink } from './link.ts';
import { printJson, printTable } from './output.ts';

async function status({ json }: { json?: boolean }): Promise<void> {
  const config = await readCommandConfig();
  const { redisUrl, mysqlUrl } = serversOf(config);
  const database = openDatabase(mysqlUrl, 2);
  try {
    const lanes = await withLink(redisUrl, async (link) => {
      const examined = await examineAll(link, database, config.lanes);
      return Promise.all(
        examined.map(async ({ lane, verdict, found, watermark: mark }) => {
          const position = found && found.sequence >= 0 ? `${found.epoch}-${found.sequence}` : '';
          const watermark = mark && mark.sequence >= 0 ? `${mark.epoch}-${mark.sequence}` : '';
          const state = found?.state ?? 'absent';
          const lag = await readLaneLag(link, lane, mark);
          return { lane, state, verdict, position, watermark, ...lag };
        }),
      );
    });
    if (json) {
      printJson({
        lanes: lanes.map(({ lagMs, ...lane }) => ({ ...lane, lag_ms: lagMs })),
      });
    } else {
      const head = ['lane', 'state', 'journal', 'in MySQL', 'stored', 'backlog', 'lag ms'];
      printTable(
        head,
        lanes.map(({ lane, state, position, watermark, entries, backlog, lagMs }) => {
          return [lane, state, position || '-', watermark || '-', entries, backlog, lagMs];
        }),
      );
    }
    const isBehind = lanes.some(({ verdict, lagMs }) => verdict !== 'fine' || lagMs > LAG_MAX_MS);
    if (isBehind) process.exitCode = 1;
  } finally {
    await database.close();
  }
}

export const outboxCommand = (): Command =>
  new Command('outbox').description('the journal between Redis and MySQL').addCommand(
    new Command('status')
      .description('how far MySQL is behind each lane')
      .option('--json', 'print {"lanes": [...]}')
      .addHelpText(
        'after',
        `
journal: the newest entry in Redis. in MySQL: the newest one committed. stored: entries that Redis
still has, those of the last seconds included. backlog: transitions that MySQL does not have.
Exit code 1: a lane is not open, or more than ${LAG_MAX_MS / 1_000} s behind.

Examples:
  $ holdfast outbox status
  $ holdfast outbox status --json | jq '.lanes[].lag_ms'`,
      )
      .action(status),
  );
