import type { Figures, Result } from './rounds.ts';

/** What a case found: a table, what it says about the targets, and the numbers for machines. */
export interface Report {
  title: string;
  /** Said under the table. */
  notes: string[];
  head: string[];
  rows: string[][];
  targets: Target[];
  plots?: { name: string; alt: string; svg: string }[];
  json: unknown;
}

/** A figure that was promised. */
export interface Target {
  what: string;
  measured: number;
  /** The bound, and on which side of it the figure must be. */
  atLeast?: number;
  atMost?: number;
  unit: string;
}

/** In a cell of what was not measured. */
const NONE = '-';

export const whole = (value: number): string => Math.round(value).toLocaleString('en-US');
export const oneDigit = (value: number): string => value.toFixed(1);
export const twoDigits = (value: number): string => (Number.isNaN(value) ? NONE : value.toFixed(2));

/** `reached`, or by how much not. */
export function verdict({ measured, atLeast, atMost }: Target): string {
  const bound = atLeast ?? atMost ?? Number.NaN;
  const isReached = atLeast === undefined ? measured <= bound : measured >= bound;
  const percent = Math.abs(measured / bound - 1) * 100;
  const missed = atLeast === undefined ? 'over' : 'short';
  return isReached ? 'reached' : `${missed} by ${percent.toFixed(percent < 10 ? 1 : 0)}%`;
}

function boundOf({ atLeast, atMost, unit }: Target): string {
  return atLeast === undefined ? `<= ${atMost} ${unit}` : `>= ${atLeast} ${unit}`;
}

function measuredOf({ measured, unit }: Target): string {
  return `${measured >= 100 ? whole(measured) : twoDigits(measured)} ${unit}`;
}

const markdownRow = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;

function markdownTable(head: readonly string[], rows: readonly string[][]): string {
  const rule = head.map((_, column) => (column === 0 ? '---' : '---:'));
  return [head, rule, ...rows].map(markdownRow).join('\n');
}

/** The report as Markdown, for docs/performance.md. */
export function markdown({ title, notes, head, rows, targets }: Report): string {
  const parts = [`### ${title}`, markdownTable(head, rows), ...notes];
  if (targets.length > 0) {
    const cells = targets.map((it) => [it.what, boundOf(it), measuredOf(it), verdict(it)]);
    parts.push(markdownTable(['target', 'bound', 'measured', ''], cells));
  }
  return parts.join('\n\n');
}

function alignedTable(head: readonly string[], rows: readonly string[][]): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  ');
  return all.map(line).join('\n');
}

const WIDTH = 80;
const wrapped = (text: string) =>
  text.replace(new RegExp(`(.{1,${WIDTH}})( |$)`, 'g'), '$1\n').trimEnd();

/** The same for a terminal. */
export function plain({ title, notes, head, rows, targets }: Report): string {
  const parts = [title, alignedTable(head, rows), ...notes.map(wrapped)];
  for (const it of targets) {
    parts.push(`${it.what}: ${measuredOf(it)}, target ${boundOf(it)}: ${verdict(it)}`);
  }
  return `${parts.join('\n')}\n`;
}

const NUMBER = /^\d[\d,.]*$/;

/** The report for machines: a row is an object, and `null` what was not measured. */
export function machineReadable({ title, head, rows, targets, json }: Report): unknown {
  const readCell = (cell: string, column: number) => {
    if (NUMBER.test(cell)) return Number(cell.replaceAll(',', ''));
    return column === 0 ? cell : null;
  };
  const objects = rows.map((row) =>
    Object.fromEntries(row.map((cell, column) => [head[column] || 'name', readCell(cell, column)])),
  );
  return { title, rows: objects, targets, json };
}

/** What every comparison shows; `ratios` come behind it. */
export function comparison(
  results: readonly Result[],
  ratios: Record<string, (result: Result) => string>,
): Pick<Report, 'head' | 'rows'> {
  const someone = (name: keyof Figures) => results.some(({ medians }) => medians[name] >= 0.5);
  const columns: Record<string, (figures: Figures) => string> = {
    'answers/s': ({ perSecond }) => whole(perSecond),
    'p50 ms': ({ p50Ms }) => twoDigits(p50Ms),
    'p99 ms': ({ p99Ms }) => oneDigit(p99Ms),
    'API CPU us': ({ apiUs }) => oneDigit(apiUs),
  };
  const orNone = (value: number) => (value < 0.5 ? NONE : oneDigit(value));
  if (someone('writerUs')) columns['writer CPU us'] = ({ writerUs }) => orNone(writerUs);
  if (someone('redisUs')) columns['Redis CPU us'] = ({ redisUs }) => orNone(redisUs);
  if (someone('mysqlUs')) columns['MySQL CPU us'] = ({ mysqlUs }) => orNone(mysqlUs);
  const head = ['', ...Object.keys(columns), ...Object.keys(ratios)];
  const rows = results.map((result) => [
    result.name,
    ...Object.values(columns).map((show) => show(result.medians)),
    ...Object.values(ratios).map((show) => show(result)),
  ]);
  return { head, rows };
}
