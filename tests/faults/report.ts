import type { Caught } from './mutations/run.ts';
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

function aligned(rows: readonly string[][]): string {
  const widths = rows[0]?.map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (row: string[]) =>
    row.map((cell, column) => {
      const width = widths?.[column] ?? 0;
      return column === 0 ? cell.padEnd(width) : cell.padStart(width);
    });
  return rows.map((row) => line(row).join('  ')).join('\n');
}

/** The table for a terminal. */
export const plainTable = (results: readonly Result[]): string =>
  aligned([HEAD, ...results.map(cellsOf)]);

const MUTATION_HEAD = [
  ...['mutation', 'row', 'operations', 'lost', 'duplicated', 'oversold', 'drift', 'broken'],
  'verdict',
];

function mutationCells({ mutation, result, isCaught }: Caught): string[] {
  const { lost, duplicated, oversold, drift, broken } = result.findings.counts;
  return [
    ...[mutation.name, mutation.row.name],
    ...[result.operations, lost, duplicated, oversold, drift, broken].map(String),
    isCaught ? 'caught' : 'MISSED',
  ];
}

/** What became of the broken engines. */
export const mutationTable = (all: readonly Caught[]): string =>
  aligned([MUTATION_HEAD, ...all.map(mutationCells)]);

/** Why a row is red, and what the processes said. */
export function reasonsOf(result: Result): string[] {
  return [...result.findings.texts, ...result.complaints.map((line) => `  ${line}`)];
}
