import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { MUTATIONS, type Mutation } from './mutations/all.ts';
import { type Caught, runMutation } from './mutations/run.ts';
import { mutationTable, plainTable, reasonsOf } from './report.ts';
import { ROWS } from './rows/all.ts';
import type { Row } from './rows/row.ts';
import { isGreen, type Result, runRow } from './run.ts';
import { type Ground, prepareGround } from './world.ts';

interface Options {
  only: Row[];
  seed: number;
  seeds: number;
  operations: number;
  short?: boolean;
  mutations?: Mutation[] | true;
  json?: boolean;
  against?: string;
}

const say = (line: string) => process.stderr.write(`${line}\n`);

function positive(text: string): number {
  const number = Number(text);
  if (!(number > 0)) throw new InvalidArgumentError('expected a number above 0');
  return number;
}

function rowsOf(text: string): Row[] {
  return text.split(',').map((name) => {
    const found = ROWS.find((row) => row.name === name.trim());
    if (found) return found;
    throw new InvalidArgumentError(`expected some of ${ROWS.map((row) => row.name).join(', ')}`);
  });
}

function mutationsOf(text: string): Mutation[] {
  return text.split(',').map((name) => {
    const found = MUTATIONS.find((mutation) => mutation.name === name.trim());
    if (found) return found;
    throw new InvalidArgumentError(`expected some of ${MUTATIONS.map((it) => it.name).join(', ')}`);
  });
}

const project = fileURLToPath(new URL('../../', import.meta.url));
const usual = ROWS.filter((row) => !row.isLong);

const command = new Command('npm run faults --')
  .description(
    'kills, stops and robs real servers in the middle of a sale, and counts what is lost',
  )
  .option('--only <names>', 'only these rows, by commas', rowsOf, usual)
  .option('--seed <number>', 'the first seed', positive, 1)
  .option('--seeds <count>', 'seeds of each row', positive, 3)
  .option('--operations <count>', 'operations of each sale, at least', positive, 2_000)
  .option(
    '--mutations [names]',
    'engines broken on purpose, which the checker must catch',
    mutationsOf,
  )
  .option('--short', 'the form that runs in CI: shorter outages')
  .option('--against <folder>', 'run another checkout, compiled there')
  .option('--json', 'print JSON for machines')
  .exitOverride();

async function runAll(ground: Ground, options: Options): Promise<Result[]> {
  const { only, seed: first, seeds, operations, short: isShort = false } = options;
  const results: Result[] = [];
  for (const row of only) {
    for (let seed = first; seed < first + seeds; seed += 1) {
      say(`${row.name}, seed ${seed}: ${row.what} ...`);
      const startedAt = performance.now();
      const result = await runRow(ground, row, { seed, operations, isShort, say });
      results.push(result);
      const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
      say(`  ${isGreen(result) ? 'green' : 'RED'} after ${seconds} s`);
      for (const line of [...result.notes, ...reasonsOf(result)]) say(`  ${line}`);
    }
  }
  return results;
}

async function runMutations(ground: Ground, options: Options): Promise<Caught[]> {
  const { seed, operations, mutations } = options;
  const chosen = mutations === true ? MUTATIONS : (mutations ?? []);
  const all: Caught[] = [];
  for (const mutation of chosen) {
    say(`${mutation.name}: ${mutation.what} ...`);
    const caught = await runMutation(ground, mutation, { seed, operations });
    all.push(caught);
    say(`  ${caught.isCaught ? 'caught' : 'MISSED'}`);
    for (const line of caught.result.findings.texts.slice(0, 4)) say(`  ${line}`);
  }
  return all;
}

// Servers and folders go away on Ctrl-C too.
function interrupted(): Promise<never> {
  return new Promise((_, reject) => {
    for (const signal of ['SIGINT', 'SIGTERM']) {
      process.once(signal, () => reject(new Error(`${signal}: the rest was not run`)));
    }
  });
}

async function main(): Promise<void> {
  const options = command.parse().opts<Options>();
  const code = options.against ? resolve(options.against) : project;
  const ground = await prepareGround(code, say);
  try {
    const stopped = interrupted();
    if (options.mutations) {
      const all = await Promise.race([runMutations(ground, options), stopped]);
      process.stdout.write(`${mutationTable(all)}\n`);
      if (!all.every(({ isCaught }) => isCaught)) process.exitCode = 1;
      return;
    }
    const results = await Promise.race([runAll(ground, options), stopped]);
    process.stdout.write(`${plainTable(results)}\n`);
    if (!results.every(isGreen)) process.exitCode = 1;
  } finally {
    await ground.close();
  }
}

try {
  await main();
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? 0 : 2;
  } else {
    say(`faults: ${(error as Error).message}`);
    process.exitCode = 1;
  }
}
process.exit();
