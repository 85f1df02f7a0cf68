import { Command } from 'commander';
import { openDatabase, query } from '../db/client.ts';
import { type History, readHistory } from '../db/history.ts';
import { Deadline } from '../domain/deadline.ts';
import { type HistoryJson, historyJson } from '../http/history-answer.ts';
import { readCommandConfig, serversOf } from './connect.ts';
import { printFields, printJson, printTable } from './output.ts';

const LIMIT_MS = 10_000;
// Tables fit into 80 columns: longer texts go on in the next line of their cell.
const TEXT_MAX = 22;
const CAUSE_MAX = 26;

// At spaces where there are any: references and errors have long words. A provider names orders as it
// likes, and must not steer a terminal.
const wrapped = (text: string, width: number): string =>
  text
    .replaceAll(/\p{C}/gu, '?')
    .replace(new RegExp(`(.{1,${width}})(?: |$)|(.{${width}})`, 'g'), '$1$2\n')
    .trimEnd();

const money = ({ amount, currency }: { amount: string; currency: string }) =>
  `${amount} ${currency}`;

function section(title: string, head: string[], rows: (string | number)[][]): void {
  if (rows.length === 0) return;
  process.stdout.write(`\n${title}\n`);
  printTable(head, rows);
}

function printRows({ hold, order }: HistoryJson): void {
  if (hold) {
    printFields({
      hold: hold.hold_id,
      status: hold.status,
      buyer: hold.buyer ?? '-',
      amount: money(hold),
      lane: hold.lane,
      made: hold.created_at ?? '-',
      until: hold.expires_at ?? '-',
      ended: hold.ended_at ?? '-',
    });
  }
  if (!order) return;
  if (hold) process.stdout.write('\n');
  printFields({
    order: order.order_id,
    status: order.status,
    amount: money(order),
    made: order.created_at ?? '-',
    'pay by': order.pay_by ?? '-',
    settled: order.settled_at ?? '-',
  });
}

function printSteps({ transitions, transition_count: all, complete }: HistoryJson): void {
  const rows = transitions.map(({ version, at, to, position, cause }) => {
    return [version, at, to, position ?? '-', wrapped(cause, CAUSE_MAX)];
  });
  section('transitions', ['', 'time', 'state', 'position', 'cause'], rows);
  if (complete) return;
  process.stdout.write(
    `\n${transitions.length} of ${all} transitions were kept. The others were made with HISTORY=last, or before\n` +
      'this Holdfast kept any: then only the last state is known.\n',
  );
}

function print(history: History): void {
  const json = historyJson(history);
  const { items, payments, dead_letters: letters, hold } = json;
  printRows(json);
  section(
    'items',
    ['product', 'name', 'qty', 'price'],
    items.map(({ product_id: id, name, qty, price }) => {
      const each = money({ amount: price, currency: hold?.currency ?? '' });
      return [id, wrapped(name ?? '-', CAUSE_MAX), qty, each];
    }),
  );
  printSteps(json);
  section(
    'payments',
    ['reference', 'said', 'received', 'outcome', 'order'],
    payments.map(({ reference, status, received_at: at, outcome, order_id: named, ...rest }) => {
      const order = rest.order_status ?? (json.order ? '-' : `unknown: ${named}`);
      return [wrapped(reference, TEXT_MAX), status, at, outcome ?? 'open', wrapped(order, 10)];
    }),
  );
  section(
    'dead letters: transitions that no row took; see dead-letters',
    ['position', 'time', 'error'],
    letters.map(({ position, at, error }) => [position, at, wrapped(error, CAUSE_MAX)]),
  );
}

async function show(id: string, { json }: { json?: boolean }): Promise<void> {
  const database = openDatabase(serversOf(await readCommandConfig()).mysqlUrl, 1);
  try {
    const history = await query(new Deadline(LIMIT_MS), 'history', readHistory(database, id));
    if (!history) {
      throw new Error(
        `MySQL knows no hold, order or payment "${id}". What was made just now may be in Redis ` +
          'only: see outbox status',
      );
    }
    if (json) printJson(historyJson(history));
    else print(history);
  } finally {
    await database.close();
  }
}

export const showCommand = (): Command =>
  new Command('show')
    .description('everything that became of a hold, an order or a payment')
    .argument('<id>', 'hold_..., order_..., or the reference of a payment')
    .option('--json', 'print JSON for machines')
    .addHelpText(
      'after',
      `
Read from MySQL alone, long after Redis forgot it: the hold, its order, each of
their transitions with its time, its position in the journal and its cause, the
payments, and what waits as a dead letter. With HISTORY=last only the last
states are kept. Exit code 1: MySQL knows no such id.

Examples:
  $ holdfast show order_01m822hvg9e008vyg0m5x19ams
  $ holdfast show pay-4711 --json | jq '.transitions[].cause'`,
    )
    .action(show);
