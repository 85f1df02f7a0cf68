import type { Caught } from './mutations/run.ts';
import { isGreen, type Result } from './run.ts';

export const HEAD = [
  ...['fault', 'seed', 'operations', 'acknowledged', 'unknown', 'lost', 'duplicated', 'oversold'],
  ...['drift', 'declared', 'recovers ms', 'verdict'],
];

const USUAL_OPERATIONS = 2_000;

/** The command that runs a row with one seed again. */
export function replayOf({ row, seed, asked }: Pick<Result, 'row' | 'seed' | 'asked'>): string {
  const which = row.minutes ? `--minutes ${row.minutes}` : `--only ${row.name} --seeds 1`;
  const operations = asked === USUAL_OPERATIONS ? '' : ` --operations ${asked}`;
  return `npm run faults -- ${which} --seed ${seed}${operations}`;
}

/** The figures of a row, as the table shows them. */
export function cellsOf(result: Result): string[] {
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

export const MUTATION_HEAD = [
  ...['mutation', 'row', 'operations', 'lost', 'duplicated', 'oversold', 'drift', 'broken'],
  'verdict',
];

/** The same for a broken engine. */
export function mutationCells({ mutation, result, isCaught }: Caught): string[] {
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

/** The same for machines. */
export function resultJson(result: Result): Record<string, unknown> {
  const { row, seed, operations, acknowledged, refused, unknown, findings, recoverMs } = result;
  return {
    ...{ fault: row.name, seed, operations, acknowledged, refused, unknown, ...findings.counts },
    ...{ recover_ms: recoverMs ?? null, verdict: isGreen(result) ? 'green' : 'red' },
    ...{ findings: findings.texts, notes: result.notes, again: replayOf(result) },
  };
}

export function caughtJson({ mutation, result, isCaught }: Caught): Record<string, unknown> {
  const verdict = isCaught ? 'caught' : 'missed';
  return { mutation: mutation.name, ...resultJson(result), verdict };
}
