import { styleText } from 'node:util';
import { Command, InvalidArgumentError } from 'commander';
import type { Finding, FoundValue } from '../domain/finding.ts';
import { reconciliationJson } from '../recovery/reconcile/json.ts';
import type { Progress, Reconciliation } from '../recovery/reconcile/reconciliation.ts';
import { readCommandConfig, withHoldfast } from './connect.ts';
import { printJson, printTable } from './output.ts';

const SHOWN_MAX = 50;

interface Options {
  product?: number;
  fix?: boolean;
  json?: boolean;
}

const WHAT: Record<Finding['kind'], string> = {
  stock_disagrees: 'the stock in MySQL is not what its holds and orders add up to',
  oversold: 'more units are held and sold than there are',
  redis_disagrees: 'Redis counts other units than MySQL',
  product_missing: 'Redis has lost the product',
  catalog_wrong: 'the product is not listed for buyers',
  rules_differ: 'Redis sells it by other rules than MySQL has',
  row_missing: 'its row in MySQL is gone',
  row_edited: 'its row in MySQL was changed from outside',
  record_missing: 'its record in Redis is gone',
  record_differs: 'its record in Redis says something else than its row',
  record_stray: 'Redis has a record of something that never was',
  index_missing: 'it is not in the index of deadlines and would never expire',
  index_stray: 'the index of deadlines has it, and it does not exist or has ended',
  deadline_differs: 'the index of deadlines has it due at another time than its row',
  overdue: 'holds are past their deadline and have not been ended',
  buyer_count: 'the count for a buyer limit is wrong',
  receipt_open: 'a payment has not acted on its order',
  receipt_disagrees: 'a payment was taken and its order does not say so',
  adjustment_open: 'a change of stock was asked for and not made',
  dead_letter: 'MySQL does not take what happened to it',
  lane: 'a lane does not sell',
  queue: "BullMQ's queue is gone",
};

const OUTCOME = { left: 'left as it is', repaired: 'repaired', failed: 'could not be repaired' };

function valueText(value: FoundValue): string {
  if (value === null) return 'nothing';
  if (typeof value !== 'object') return String(value);
  return Object.entries(value)
    .map(([name, each]) => `${name} ${each}`)
    .join(', ');
}

function subjectOf({ lane, productId, id }: Finding): string {
  if (productId !== null) return id === '' ? `product ${productId}` : `product ${productId}, ${id}`;
  return id === '' ? `lane ${lane}` : id;
}

function printFinding(finding: Finding, fixes: boolean): void {
  const { kind, expected, found, repair, outcome } = finding;
  const colour = outcome === 'repaired' ? 'green' : 'red';
  const title = styleText(colour, kind, { stream: process.stdout });
  const lines = [
    `${title}  ${subjectOf(finding)}`,
    `  ${WHAT[kind]}`,
    `  expected  ${valueText(expected)}`,
    `  found     ${valueText(found)}`,
    `  ${fixes ? OUTCOME[outcome] : '--fix would'}: ${repair}`,
  ];
  process.stdout.write(`\n${lines.join('\n')}\n`);
}

const counted = (count: number, what: string) => `${count} ${what}${count === 1 ? '' : 's'}`;

function print(run: Reconciliation): void {
  const kinds = new Map<string, { count: number; units: number; repaired: number }>();
  for (const { kind, units, outcome } of run.findings) {
    const known = kinds.get(kind) ?? { count: 0, units: 0, repaired: 0 };
    const repaired = known.repaired + (outcome === 'repaired' ? 1 : 0);
    kinds.set(kind, { count: known.count + 1, units: known.units + units, repaired });
  }
  const seconds = (run.tookMs / 1_000).toFixed(1);
  const products = counted(run.products, 'product');
  const books = `${products}, ${run.reservations} live holds and orders, in ${seconds} s`;
  if (run.found === 0) {
    process.stdout.write(`the books agree: ${books}\n`);
    return;
  }
  for (const finding of run.findings.slice(0, SHOWN_MAX)) printFinding(finding, run.fixes);
  const hidden = run.found - SHOWN_MAX;
  if (hidden > 0) process.stdout.write(`\n... and ${hidden} more: --json prints them all\n`);
  process.stdout.write('\n');
  printTable(
    ['finding', 'times', 'units', 'repaired'],
    [...kinds].map(([kind, { count, units, repaired }]) => [kind, count, units, repaired]),
  );
  const verdict = run.repaired === run.found ? 'all repaired' : `${run.repaired} repaired`;
  process.stdout.write(`\n${counted(run.found, 'finding')}, ${verdict}: ${books}\n${run.id}\n`);
}

/** One line on a terminal, written over and over; nothing elsewhere. */
function progressLine(): { tell: (progress: Progress) => void; clear: () => void } {
  const { stderr } = process;
  let toldAt = 0;
  return {
    tell: ({ step, done, total }) => {
      if (!stderr.isTTY || performance.now() - toldAt < 100) return;
      toldAt = performance.now();
      stderr.write(`\r\u001b[Kcomparing ${step}: ${done} of ${Math.max(done, total)}`);
    },
    clear: () => void (stderr.isTTY && stderr.write('\r\u001b[K')),
  };
}

async function reconcile({ product, fix = false, json }: Options): Promise<void> {
  const config = await readCommandConfig();
  const progress = progressLine();
  const run = await withHoldfast(config, async (holdfast) => {
    const request = { productId: product ?? null, fixes: fix, isPaced: false } as const;
    return holdfast.reconcile({ ...request, cause: 'command', onProgress: progress.tell });
  }).finally(progress.clear);
  if (product !== undefined && run.products === 0)
    throw new Error(`there is no product ${product}`);
  if (json) printJson(reconciliationJson(run));
  else print(run);
  if (run.found > run.repaired) process.exitCode = 1;
}

function parseProduct(text: string): number {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('Expected the number of a product.');
}

const HELP = `
Compares, while sales go on: MySQL's stock with the sum of its holds and orders,
Redis' counters with MySQL's at one position of the journal, live holds and
orders with their records and deadlines in Redis, buyers' counts, payments and
stock changes that were left half done, queues and lanes. Rows in MySQL are
believed, unless their own history says that somebody else has changed them.

--fix puts right what can be put right, by differences, so that it may run in
the middle of a sale; what it did is kept in the table reconciliations, and a
second run finds nothing. A lane that was closed over its books opens by itself
once they agree.

Exit codes: 0 the books agree, or all was repaired; 1 findings are left; 2 wrong
usage; 3 a server cannot be reached

Examples:
  $ holdfast reconcile
  $ holdfast reconcile --product 42 --fix
  $ holdfast reconcile --json | jq '.findings[] | {kind, id, expected, found}'`;

/** `holdfast reconcile`: one command that proves both books equal, or says where they are not. */
export const reconcileCommand = (): Command =>
  new Command('reconcile')
    .description('compare all books of Redis and MySQL, and repair what is wrong')
    .option('--product <id>', "only this product's books", parseProduct)
    .option('--fix', 'repair what is found')
    .option('--json', 'print the run and its findings as JSON')
    .addHelpText('after', HELP)
    .action(reconcile);
