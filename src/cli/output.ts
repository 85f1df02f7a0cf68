import Table from 'cli-table3';

/** A line for people beside the command's own output; each line of it says whose it is. */
export function say(text: string): void {
  process.stderr.write(`${text.replace(/^/gm, 'holdfast: ')}\n`);
}

const LINES =
  'top top-mid top-left top-right bottom bottom-mid bottom-left bottom-right left left-mid mid ' +
  'mid-mid right right-mid';
const NO_LINES = Object.fromEntries(LINES.split(' ').map((name) => [name, '']));

/** Rows for people: a table on standard output, in colour only on a terminal. */
export function printTable(head: string[], rows: (string | number)[][]): void {
  const isTerminal = process.stdout.isTTY === true;
  const colours = { head: isTerminal ? ['cyan'] : [], border: [] };
  const style = { ...colours, 'padding-left': 0, 'padding-right': 0 };
  const colAligns = rows[0]?.map(alignment) ?? [];
  const table = new Table({ head, style, colAligns, chars: { ...NO_LINES, middle: '  ' } });
  table.push(...rows);
  process.stdout.write(`${table.toString()}\n`);
}

const alignment = (cell: string | number): 'left' | 'right' =>
  typeof cell === 'number' ? 'right' : 'left';

/** One thing for people: a line for each of its fields. */
export function printFields(fields: Record<string, string | number>): void {
  const width = Math.max(...Object.keys(fields).map((name) => name.length));
  const lines = Object.entries(fields).map(([name, value]) => `${name.padEnd(width)}  ${value}\n`);
  process.stdout.write(lines.join(''));
}

/** The whole answer for machines. */
export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}
