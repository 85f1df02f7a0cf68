import { isGreen, type Result } from './run.ts';

const HEAD = [
  ...['fault', 'seed', 'operations', 'acknowledged', 'unknown', 'lost', 'duplicated', 'oversold'],
  ...['drift', 'declared', 'recovers ms', 'verdict'],
];

/** The command that runs a row with one seed again. */
export const replayOf = ({
  row,
  seed,
  operations,
}: Pick<Result, 'row' | 'seed'> & { operations: number }) =>
  `npm run faults -- --only ${row.name} --seed ${seed} --operations ${operations}`;

function cellsOf(result: Result): string[] {
  const { row, seed, operations, acknowledged, unknown, findings, recoverMs } = result;
  const { lost, duplicated, oversold, drift, declared } = findings.counts;
  return [
    row.name,
    ...[seed, operations, acknowledged, unknown, lost, duplicated, oversold, drift, declared].map(
      String,
    ),
    recoverMs === undefined ? '' : String(Math.round(recoverMs)),
    isGreen(result) ? 'green' : 'RED',
  ];
}

/** The table for a terminal, with the reasons of what is red. */
export function plainTable(results: readonly Result[]): string {
  const rows = [HEAD, ...results.map(cellsOf)];
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => {
          const width = widths[column] ?? 0;
          return column === 0 ? cell.padEnd(width) : cell.padStart(width);
        })
        .join('  '),
    )
    .join('\n');
}

/** Why a row is red, and what the processes said. */
export function reasonsOf(result: Result): string[] {
  return [...result.findings.texts, ...result.complaints.map((line) => `  ${line.slice(0, 400)}`)];
}
