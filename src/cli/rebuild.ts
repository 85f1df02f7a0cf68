import { Command } from 'commander';
import type { RebuildFinding } from '../db/schema.ts';
import type { Rebuilt } from '../recovery/rebuild.ts';
import { readCommandConfig, withHoldfast } from './connect.ts';
import { printJson, printTable, say } from './output.ts';
import { parseLane } from './usage.ts';

interface RebuildOptions {
  lane?: string;
  acceptMysql?: boolean;
  json?: boolean;
}

function lanesOf(text: string | undefined, count: number): number[] {
  if (text === undefined) return Array.from({ length: count }, (_, lane) => lane);
  return [parseLane(text, count)];
}

function tell(finding: RebuildFinding): string {
  if (finding.kind === 'hold_beyond_total') {
    return `${finding.holdId} was cancelled: it took units beyond the total of its product`;
  }
  const { productId, found, expected } = finding;
  const counters = ({ available, held, pending }: typeof found) =>
    `available ${available}, held ${held}, pending ${pending}`;
  return `product ${productId} had ${counters(found)}; its rows say ${counters(expected)}`;
}

// As the HTTP API spells fields.
const jsonOf = ({ tookMs, findings, ...lane }: Rebuilt) => ({
  ...lane,
  took_ms: tookMs,
  findings: findings.map((finding) =>
    finding.kind === 'hold_beyond_total'
      ? { kind: finding.kind, hold_id: finding.holdId }
      : {
          kind: finding.kind,
          product_id: finding.productId,
          expected: finding.expected,
          found: finding.found,
        },
  ),
});

function print(rebuilt: Rebuilt[]): void {
  const head = ['lane', 'epoch', 'products', 'holds', 'orders', 'seconds'];
  printTable(
    head,
    rebuilt.map(({ lane, epoch, products, holds, orders, tookMs }) => {
      return [lane, epoch, products, holds, orders, tookMs / 1_000];
    }),
  );
  for (const { findings } of rebuilt) {
    for (const finding of findings) process.stdout.write(`corrected: ${tell(finding)}\n`);
  }
}

async function rebuild({ lane, acceptMysql = false, json }: RebuildOptions): Promise<void> {
  const config = await readCommandConfig();
  const chosen = lanesOf(lane, config.lanes);
  const rebuilt: Rebuilt[] = [];
  await withHoldfast(config, async ({ lanes }) => {
    for (const each of chosen) {
      say(`rebuilding lane ${each}; its buyers are answered 503 meanwhile ...`);
      rebuilt.push(await lanes.rebuild(each, acceptMysql));
    }
  });
  if (json) printJson({ lanes: rebuilt.map(jsonOf) });
  else print(rebuilt);
  if (rebuilt.some(({ findings }) => findings.length > 0)) process.exitCode = 1;
}

export const rebuildCommand = (): Command =>
  new Command('rebuild')
    .description('build lanes in Redis anew from MySQL, after draining what Redis still has')
    .option('--lane <number>', 'only this lane (default: all)')
    .option('--accept-mysql', 'also where MySQL has lost entries; what it lacks is lost then')
    .option('--json', 'print {"lanes": [...]}')
    .addHelpText(
      'after',
      `
Rarely needed: a running Holdfast rebuilds a lane by itself when Redis has lost
data. It leaves a lane closed, and the log says why, when MySQL is the one that
lost entries: first look for the right MySQL. Every rebuild is kept in the table
rebuilds. Exit code 1: rows did not add up and were corrected.

Examples:
  $ holdfast rebuild
  $ holdfast rebuild --lane 3 --json
  $ holdfast rebuild --accept-mysql`,
    )
    .action(rebuild);
