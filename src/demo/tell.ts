import Table from 'cli-table3';
import type { Report } from './report.ts';
import type { Counters } from './stores.ts';

const count = (value: number): string => value.toLocaleString('en-US');

function storyOf(report: Report): [string, number, string][] {
  const { holds, orders, payment_events: events } = report;
  return [
    [
      'hold requests',
      report.hold_requests,
      `half within ${report.p50_ms} ms, 99% within ${report.p99_ms} ms`,
    ],
    ['  a second', report.holds_per_second, 'until every buyer had a first answer'],
    [
      'sold out answers',
      report.sold_out_answers,
      `${count(report.refused)} buyers left without a unit`,
    ],
    [
      'holds',
      holds.granted,
      `${count(holds.ordered)} ordered, ${count(holds.expired)} expired, ${count(holds.released)} released`,
    ],
    [
      'orders',
      holds.ordered,
      `${count(orders.paid)} paid, ${count(orders.cancelled)} cancelled, ${count(orders.expired)} expired, ${count(orders.refund_due)} to refund`,
    ],
    [
      'payment events',
      events.applied + events.ignored + events.refund_due,
      `${count(events.applied)} applied (${count(events.applied_paid)} paid, ${count(events.applied_failed)} failed), ${count(events.ignored)} ignored`,
    ],
    ['  to refund', events.refund_due, `on ${count(events.refund_due_orders)} orders`],
    ['  early', report.early_events, 'before their order'],
    ['  late', report.late_events, 'after their window; honoured if units are left'],
    ['repeats', report.repeats, 'same Idempotency-Key or payment reference'],
    [
      'unknown answers',
      report.unknown_answers,
      `503 or none; ${count(report.unserved)} buyers gave up`,
    ],
  ];
}

// No lines between the rows.
const PLAIN_ROWS = { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' };

function storyTable(report: Report): string {
  const table = new Table({
    chars: PLAIN_ROWS,
    colAligns: ['left', 'right', 'left'],
    style: { head: [], border: [] },
  });
  table.push(...storyOf(report).map(([name, value, meaning]) => [name, count(value), meaning]));
  return table.toString();
}

function booksTable({ redis, stock, rows }: Report['books']): string {
  const head = ['units', 'total', 'available', 'held', 'pending', 'sold'];
  const right = Array.from({ length: head.length - 1 }, () => 'right' as const);
  const table = new Table({ head, colAligns: ['left', ...right], style: { head: [], border: [] } });
  const line = (name: string, { total, available, held, pending, sold }: Counters) => [
    name,
    ...[total, available, held, pending, sold].map(count),
  ];
  table.push(line('Redis, counters', redis));
  table.push(line('MySQL, stock row', stock));
  table.push(line('MySQL, sums of rows', rows));
  return table.toString();
}

function leftOver({ stock, sold, refused }: Report): string[] {
  if (sold >= stock) return [];
  const how = refused > 0 ? 'came back after the last buyer had left' : 'found no buyer';
  return [`Units that ${how}: ${count(stock - sold)}`];
}

const CHECKS = {
  oversold: 'units given away above the total',
  drift: 'units by which these accounts differ',
  lost: 'acknowledged, but missing or different in MySQL',
  doubled: 'keys with two holds, orders with two payments or none',
  unfinished: 'holds, orders and payments that never ended',
} as const;

/** The result for people. */
export function tell(
  report: Report,
  paint: (colour: 'green' | 'red', text: string) => string,
): string {
  const { buyers, stock, seconds, seed, product_id: product } = report;
  const checks = Object.entries(CHECKS).map(([name, meaning]) => {
    const found = report[name as keyof typeof CHECKS];
    const mark = found === 0 ? paint('green', '✓') : paint('red', '✗');
    return `  ${mark} ${name.padEnd(10)} ${count(found).padStart(5)}   ${meaning}`;
  });
  const sold = `${count(report.sold)} of ${count(stock)} units sold`;
  return [
    `${count(buyers)} buyers, ${sold} in ${seconds} s (product ${product}, seed ${seed})`,
    storyTable(report),
    ...leftOver(report),
    '',
    'The audit, read from Redis and MySQL past the engine, with every unit at rest:',
    booksTable(report.books),
    ...checks,
    ...report.findings.map((finding) => paint('red', `  ${finding}`)),
    report.ok ? paint('green', 'The books balance.') : paint('red', 'The audit has failed.'),
    '',
  ].join('\n');
}
