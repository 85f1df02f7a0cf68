import Table from 'cli-table3';

/** Rows for people: a table on standard output, in colour only on a terminal. */
export function printTable(head: string[], rows: (string | number)[][]): void {
  const isTerminal = process.stdout.isTTY === true;
  const style = isTerminal ? { head: ['cyan'] } : { head: [], border: [] };
  const table = new Table({ head, style, colAligns: rows[0]?.map(alignment) ?? [] });
  table.push(...rows);
  process.stdout.write(`${table.toString()}\n`);
}

const alignment = (cell: string | number): 'left' | 'right' =>
  typeof cell === 'number' ? 'right' : 'left';

/** The whole answer for machines. */
export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}
