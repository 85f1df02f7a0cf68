import Table from 'cli-table3';
import type { Report } from './report.ts';
import type { Counters } from './stores.ts';

const count = (value: number): string => value.toLocaleString('en-US');

function storyOf(report: Report): [string, number, string][] {
  const { holds, orders, payment_events: events } = report;
  const decided = events.applied + events.ignored + events.refund_due;
  const speed = `${count(report.holds_per_second)} a second in the rush`;
  const cancelled = `${count(orders.cancelled)} cancelled, ${count(orders.expired)} expired`;
  return [
    [
      'hold requests',
      report.hold_requests,
      `${speed}; p50 ${report.p50_ms} ms, p99 ${report.p99_ms} ms`,
    ],
    [
      '  sold out',
      report.sold_out_answers,
      `answers; ${count(report.refused)} buyers left without a unit`,
    ],
    [
      '  granted',
      holds.granted,
      `${count(holds.ordered)} ordered, ${count(holds.expired)} expired, ${count(holds.released)} released`,
    ],
    [
      'orders',
      holds.ordered,
      `${count(orders.paid)} paid, ${cancelled}, ${count(orders.refund_due)} refund due`,
    ],
    [
      'payment events',
      decided,
      `${count(events.applied)} applied, ${count(events.ignored)} ignored, ${count(events.refund_due)} refund due`,
    ],
    [
      '  out of order',
      report.early_events + report.late_events,
      `${count(report.early_events)} before their order, ${count(report.late_events)} after its payment window`,
    ],
    ['repeats', report.repeats, 'with the same Idempotency-Key or payment reference'],
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

const CHECKS = {
  oversold: 'units given away above the total',
  drift: 'units by which these accounts differ',
  lost: 'acknowledged holds, orders and payments that MySQL does not have as told',
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
    '',
    'The audit, read from Redis and MySQL past the engine, after the last unit came to rest:',
    booksTable(report.books),
    ...checks,
    ...report.findings.map((finding) => paint('red', `  ${finding}`)),
    report.ok ? paint('green', 'The books balance.') : paint('red', 'The audit has failed.'),
    '',
  ].join('\n');
}
