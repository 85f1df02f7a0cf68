import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { MUTATIONS } from './mutations/all.ts';
import type { Caught } from './mutations/run.ts';
import { cellsOf, HEAD, MUTATION_HEAD, mutationCells, replayOf } from './report.ts';
import { ROWS } from './rows/all.ts';
import type { Result } from './run.ts';

const page = fileURLToPath(new URL('../../docs/faults.md', import.meta.url));

const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
const rule = (head: readonly string[]) => line(head.map((_, at) => (at === 0 ? '---' : '---:')));

/** Lines of earlier runs stay where this run has none of the same. */
function merged(earlier: string, fresh: ReadonlyMap<string, string>, order: string[]): string[] {
  const lines = new Map<string, string>();
  for (const text of earlier.split('\n')) {
    const [, name, second] = /^\| ([a-z-]+) \| ([a-z0-9-]+) \|/.exec(text) ?? [];
    if (name && second && order.includes(name)) lines.set(`${name} ${second}`, text);
  }
  for (const [key, text] of fresh) lines.set(key, text);
  const place = (key: string) => order.indexOf(key.split(' ')[0] ?? '');
  return [...lines]
    .sort(([a], [b]) => place(a) - place(b) || a.localeCompare(b))
    .map(([, text]) => text);
}

function resultLines(earlier: string, results: readonly Result[]): string[] {
  const fresh = new Map(
    results.map((result) => {
      const cells = [...cellsOf(result), `\`${replayOf(result)}\``];
      return [`${result.row.name} ${result.seed}`, line(cells)] as const;
    }),
  );
  return merged(earlier, fresh, [...ROWS.map((row) => row.name), 'random']);
}

function mutationLines(earlier: string, all: readonly Caught[]): string[] {
  const fresh = new Map(
    all.map((caught) => {
      const { mutation } = caught;
      return [`${mutation.name} ${mutation.row.name}`, line(mutationCells(caught))] as const;
    }),
  );
  return merged(
    earlier,
    fresh,
    MUTATIONS.map(({ name }) => name),
  );
}

const INTRODUCTION = `# What it survives

Real servers and processes are killed, stopped, robbed of their data and misled in the middle of a
sale. Forty clients hold, extend, order, pay (early, late, twice, contradicting themselves), cancel, give back
and look, and ops add and take stock; everything they ask and are told is recorded. A checker that
shares no code with the engine decides from this history and from what both stores say in the end.
An outcome that nobody was told (\`unknown\`) counts neither way.

\`npm run faults\` runs the table; \`npm run faults -- --help\` tells the rest. A short form of it is
part of \`npm test\`. What clients decide follows from the seed; the numbers of a row differ from run to
run all the same, since processes and sockets take their own time.

- **lost**: acknowledged holds, orders, payments, releases or restocks that are missing or changed
- **duplicated**: a key, a payment reference or a hold with two effects
- **oversold**: units of certainly live holds and orders beyond what there was at that moment
- **drift**: units by which Redis, the \`stock\` rows and the sums of rows differ in the end
- **declared**: losses that the row declares; only where Redis loses data, and never an order
- **recovers**: from the fault's end until holds and orders succeed again, the longest of a run; for
  what is due at once, from the last deadline until all units are back`;

function faultsSection(): string {
  return ROWS.map(({ name, what, expected, declared }) => {
    const loses = declared ? ` Declared: ${declared}.` : '';
    return `- **${name}**: ${what}. Expected: ${expected}.${loses}`;
  }).join('\n');
}

const mutationsSection = (): string =>
  MUTATIONS.map(({ name, what }) => `- **${name}**: ${what}.`).join('\n');

/** Writes docs/faults.md: these results, and those of earlier runs for all other rows. */
export async function writeDocs(
  machine: string,
  results: readonly Result[],
  mutations: readonly Caught[],
): Promise<string> {
  const earlier = await readFile(page, 'utf8').catch(() => '');
  const head = [...HEAD, 'again'];
  const day = new Date().toISOString().slice(0, 10);
  const parts = [
    INTRODUCTION,
    `## Results\n\n${[line(head), rule(head), ...resultLines(earlier, results)].join('\n')}`,
    `Measured on ${machine}, ${day}, by \`npm run faults -- --write\`.`,
    `## The faults\n\n${faultsSection()}`,
    '## Engines broken on purpose\n\nEach of these is a copy of the engine with one rule taken out. ' +
      'The checker must turn red; else it would prove nothing.',
    [line(MUTATION_HEAD), rule(MUTATION_HEAD), ...mutationLines(earlier, mutations)].join('\n'),
    mutationsSection(),
  ];
  await writeFile(page, `${parts.join('\n\n')}\n`);
  return page;
}
