import { Command, Option } from 'commander';
import { type Database, openDatabase, query } from '../db/client.ts';
import { listOrders } from '../db/order-list.ts';
import { Deadline } from '../domain/deadline.ts';
import { parseOrderId, type ReservationId } from '../domain/ids.ts';
import type { OrderFilter, OrderPage } from '../domain/order-list.ts';
import { orderListJson } from '../http/order-list-answer.ts';
import { orderListOf, orderListRequest } from '../http/order-list-request.ts';
import { orderDetailsJson, orderStatusAnswer } from '../http/reservation-answer.ts';
import { readCommandConfig, serversOf, withHoldfast } from './connect.ts';
import { printJson, printTable } from './output.ts';
import { UsageError } from './usage.ts';

/** For each page. */
const LIMIT_MS = 10_000;
const PAGE = 200;
// Tables fit into 80 columns: this is an id's own width.
const WHAT_WIDTH = 32;

interface ListOptions {
  status?: string;
  product?: string;
  buyer?: string;
  since?: string;
  until?: string;
  limit?: string;
  all?: boolean;
  json?: boolean;
}

// The same checks as over HTTP, under the names of the options.
const OPTIONS: Record<string, string> = { product_id: 'product', from: 'since', to: 'until' };

function parsed({ status, product, buyer, since, until, limit }: ListOptions) {
  const asked = { status, product_id: product, buyer, from: since, to: until, limit };
  const result = orderListRequest.safeParse(asked);
  if (result.success) return orderListOf(result.data);
  const lines = result.error.issues.map(({ path, message }) => {
    const field = String(path[0] ?? '');
    return `--${OPTIONS[field] ?? field} ${message.replace('than from', 'than --since')}`;
  });
  throw new UsageError(lines.join('\n'));
}

// Pages can be short: on with it until there are enough, or no more.
async function read(database: Database, filter: OrderFilter, count: number): Promise<OrderPage> {
  const orders: OrderPage['orders'] = [];
  let after: ReservationId | null = null;
  do {
    const page = { after, limit: Math.min(PAGE, count - orders.length) };
    const reading = listOrders(database, filter, page);
    const found: OrderPage = await query(new Deadline(LIMIT_MS), 'orders', reading);
    orders.push(...found.orders);
    after = found.next;
  } while (after !== null && orders.length < count);
  return { orders, next: after };
}

type Listed = ReturnType<typeof orderListJson>['orders'][number];

const time = (text: string) => text.slice(0, 'YYYY-MM-DDTHH:MM:SS'.length).replace('T', ' ');

function whatOf({ items, buyer }: Listed): string {
  const units = items.map(({ product_id: id, qty }) => `${qty} of product ${id}`).join(', ');
  const text = buyer === null ? units : `${units} for ${buyer}`;
  return text
    .replace(new RegExp(`(.{1,${WHAT_WIDTH}})(?: |$)|(.{${WHAT_WIDTH}})`, 'g'), '$1$2\n')
    .trimEnd();
}

function print({ orders, next }: ReturnType<typeof orderListJson>): void {
  if (orders.length === 0) {
    process.stdout.write('There is no such order.\n');
    return;
  }
  printTable(
    ['order', 'status', 'made (UTC)', 'amount'],
    orders.map((order) => {
      const { order_id: id, status, created_at: made, amount, currency } = order;
      return [`${id}\n${whatOf(order)}`, status, time(made), `${amount} ${currency}`];
    }),
  );
  if (next !== null) process.stdout.write('\nThere are older ones: --all lists them, too.\n');
}

async function list(options: ListOptions): Promise<void> {
  if (options.all && options.limit !== undefined) {
    throw new UsageError('say --limit or --all, not both');
  }
  const { filter, page } = parsed(options);
  const count = options.all ? Number.POSITIVE_INFINITY : page.limit;
  const database = openDatabase(serversOf(await readCommandConfig()).mysqlUrl, 1);
  try {
    const found = orderListJson(await read(database, filter, count));
    if (options.json) printJson(found);
    else print(found);
  } finally {
    await database.close();
  }
}

async function refund(
  text: string,
  { returnUnits = false, json }: { returnUnits?: boolean; json?: boolean },
): Promise<void> {
  const id = parseOrderId(text);
  if (!id) throw new UsageError(`"${text}" is no id of an order`);
  const outcome = await withHoldfast(await readCommandConfig(), ({ refunds }) =>
    refunds.refundOrder(id, returnUnits, new Deadline(LIMIT_MS)),
  );
  if (outcome.status === 'order_not_found') throw new Error(`there is no order ${text}`);
  if (outcome.status === 'order_not_paid') {
    throw new Error(`${text} is not paid; money that is due back is in refunds list`);
  }
  const order = orderDetailsJson(outcome.order);
  const units = order.units_returned ? 'its units are sold again' : 'its units stay sold';
  if (json) printJson(order);
  else process.stdout.write(`${text} is refunded; ${units}\n`);
}

const REFUND_HELP = `
For refunds that the payment provider does not tell by a webhook. Holdfast moves
no money: refund it there first. Saying it again changes nothing, but units may
be asked for later.

Examples:
  $ holdfast orders refund order_01jzc0000000000000000000000
  $ holdfast orders refund order_01jzc0000000000000000000000 --return-units`;

const HELP = `
Read from MySQL alone, by the moment the holds of the orders were made. "show"
tells all that became of one. Status "refunded" also lists orders whose units
are sold again.

Examples:
  $ holdfast orders list --status refund_due --all
  $ holdfast orders list --product 1 --since 2026-11-27T12:00:00Z --limit 200
  $ holdfast orders list --all --json | jq -r '.orders[].buyer' | sort | uniq -c`;

/** `holdfast orders ...`: what was ordered. */
export const ordersCommand = (): Command =>
  new Command('orders')
    .description('see what was ordered, and say what was refunded')
    .addCommand(
      new Command('list')
        .description('orders by status, product, buyer and time, the newest first')
        .option('--status <status>', orderStatusAnswer.options.join(', '))
        .option('--product <id>', 'with an item of this product')
        .option('--buyer <buyer>', 'of this buyer')
        .option('--since <time>', 'made then or later; ISO 8601, such as 2026-11-27T12:00:00Z')
        .option('--until <time>', 'made before then')
        .option('--limit <number>', 'at most so many, up to 200; 50 when left out')
        .option('--all', 'all of them')
        .addOption(new Option('--json', 'print JSON for machines'))
        .addHelpText('after', HELP)
        .action(list),
    )
    .addCommand(
      new Command('refund')
        .description('say that a paid order was refunded')
        .argument('<order>', 'its id')
        .option('--return-units', 'sell its units again')
        .addOption(new Option('--json', 'print JSON for machines'))
        .addHelpText('after', REFUND_HELP)
        .action(refund),
    );
