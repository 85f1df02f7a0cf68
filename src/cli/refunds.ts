import { Command, Option } from 'commander';
import type { Holdfast } from '../compose.ts';
import type { RefundDue } from '../db/refunds.ts';
import { Deadline } from '../domain/deadline.ts';
import { refundJson } from '../http/refund-answer.ts';
import { readCommandConfig, withHoldfast } from './connect.ts';
import { printJson, printTable } from './output.ts';

const LIMIT_MS = 10_000;
const PAGE = 500;

type Json = { json?: boolean };

const WHY = {
  refund_due: 'nothing to sell for it',
  amount_mismatch: 'another amount than the order',
};

async function allDue({ refunds }: Holdfast): Promise<RefundDue[]> {
  const due: RefundDue[] = [];
  for (;;) {
    const page = await refunds.list(due.at(-1), PAGE, new Deadline(LIMIT_MS));
    due.push(...page.refunds);
    if (page.refunds.length < PAGE) return due;
  }
}

function printRefunds(due: readonly RefundDue[]): void {
  const rows = due
    .map(refundJson)
    .map(({ amount, currency, ...refund }) => [
      refund.received_at,
      refund.order_id,
      amount === null ? 'unknown' : `${amount} ${currency}`,
      refund.buyer ?? '-',
      refund.reference,
      WHY[refund.reason],
    ]);
  printTable(['received', 'order', 'paid', 'buyer', 'reference', 'why'], rows);
  process.stdout.write(
    '\nGive the money back where it was paid, then: holdfast refunds done <order> <reference>\n',
  );
}

async function list({ json }: Json): Promise<void> {
  const due = await withHoldfast(await readCommandConfig(), allDue);
  if (json) printJson({ refunds: due.map(refundJson), open: due.length });
  else if (due.length === 0) process.stdout.write('no refunds are due\n');
  else printRefunds(due);
  if (due.length > 0) process.exitCode = 1;
}

async function done(order: string, named: string[], { json }: Json): Promise<void> {
  const outcome = await withHoldfast(await readCommandConfig(), ({ refunds }) =>
    refunds.done(order, named.length > 0 ? named : undefined, new Deadline(LIMIT_MS)),
  );
  if (outcome.status === 'order_not_found') throw new Error(`there is no order ${order}`);
  if (outcome.status === 'no_refund_due') {
    const which = named.length > 0 ? ` for ${named.join(', ')}` : '';
    throw new Error(
      `no money was due back on ${order}${which}; nothing is noted, see refunds list`,
    );
  }
  const { references } = outcome;
  if (json) printJson({ order_id: order, references });
  else if (references.length === 0) process.stdout.write(`${order}: it was done before\n`);
  else for (const each of references) process.stdout.write(`${order}: ${each} has gone back\n`);
}

const HELP = `
Money is due back when a payment came for an order that no units were left for,
when an order was paid twice, and when another amount was paid. Holdfast moves no
money: refund it at the payment provider, then say so here. Providers that tell
of refunds by a webhook (Stripe: charge.refunded) do this by themselves.`;

const LIST_HELP = `
Exit code 1: some are due. As a line of a crontab:
  */5 * * * * holdfast refunds list

Examples:
  $ holdfast refunds list
  $ holdfast refunds list --json | jq -r '.refunds[].payment'`;

const DONE_HELP = `
Name the payments you gave back, as refunds list does: another may have become
due meanwhile. Without references it means all that is due on the order. Saying
it again changes nothing.

Examples:
  $ holdfast refunds done order_01jzc0000000000000000000000 evt_8f14e45f
  $ holdfast refunds done order_01jzc0000000000000000000000`;

const jsonOption = () => new Option('--json', 'print JSON for machines');

/** `holdfast refunds ...`: money that must go back. */
export const refundsCommand = (): Command =>
  new Command('refunds')
    .description('money that must go back: see it, and say that it has')
    .addHelpText('after', HELP)
    .addCommand(
      new Command('list')
        .description('what is due, the oldest first')
        .addOption(jsonOption())
        .addHelpText('after', LIST_HELP)
        .action(list),
    )
    .addCommand(
      new Command('done')
        .description('the money due on an order has gone back')
        .argument('<order>', 'as listed')
        .argument('[references...]', 'of its payments, as listed')
        .addOption(jsonOption())
        .addHelpText('after', DONE_HELP)
        .action(done),
    );
