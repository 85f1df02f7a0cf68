import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { describeMachine } from '../../bench/machine.ts';
import { writeDocs } from './docs.ts';
import { MUTATIONS, type Mutation } from './mutations/all.ts';
import { type Caught, runMutation } from './mutations/run.ts';
import {
  caughtJson,
  mutationTable,
  plainTable,
  reasonsOf,
  replayOf,
  resultJson,
} from './report.ts';
import { ROWS } from './rows/all.ts';
import type { Row } from './rows/row.ts';
import { randomTour } from './rows/tours.ts';
import { isGreen, type Result, runRow } from './run.ts';
import { describePrograms, programVersions } from './servers/programs.ts';
import { type Ground, prepareGround } from './world.ts';

interface Options {
  only: Row[];
  seed: number;
  seeds: number;
  operations: number;
  short?: boolean;
  minutes?: number;
  mutations?: Mutation[] | true;
  json?: boolean;
  write?: boolean;
  list?: boolean;
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

const command = new Command('npm run faults --')
  .description(
    'kills, stops and robs real servers in the middle of a sale, and counts what is lost',
  )
  .addOption(
    new Option('--only <names>', 'only these rows, by commas')
      .argParser(rowsOf)
      .default(ROWS, 'all rows'),
  )
  .option('--seed <number>', 'the first seed', positive, 1)
  .option('--seeds <count>', 'seeds of each row', positive, 3)
  .option('--operations <count>', 'operations of each sale, at least', positive, 2_000)
  .option('--minutes <count>', 'instead: faults at random in one long sale', positive)
  .option(
    '--mutations [names]',
    'engines broken on purpose, which the checker must catch',
    mutationsOf,
  )
  .option('--short', 'the form that runs in CI: shorter outages')
  .option('--against <folder>', 'run another checkout, compiled there')
  .option('--json', 'print JSON for machines')
  .option('--write', 'write the results into docs/faults.md, beside those of earlier runs')
  .option('--list', 'tell the rows and the broken engines, and run nothing')
  .addHelpText(
    'after',
    `
Servers: private ones in a temporary folder, found as \`npm start\` finds programs; REDIS_SERVER and
MYSQLD name others. Every row has its own, and everything listens on 127.0.0.1.
Exit codes: 0 all green and all broken engines caught, 1 not so, 2 wrong usage.`,
  )
  .exitOverride();

async function write(
  { programs }: Ground,
  options: Options,
  results: Result[],
  caught: Caught[],
): Promise<void> {
  if (!options.write) return;
  await writeDocs(describeMachine({ versions: programVersions(programs) }), results, caught);
}

async function runAll(ground: Ground, options: Options): Promise<Result[]> {
  const { seed: first, operations, minutes, short: isShort = false } = options;
  const only = minutes === undefined ? options.only : [randomTour(ROWS, minutes)];
  const seeds = minutes === undefined ? options.seeds : 1;
  const results: Result[] = [];
  for (const row of only) {
    for (let seed = first; seed < first + seeds; seed += 1) {
      say(`${row.name}, seed ${seed}: ${row.what} ...`);
      const startedAt = performance.now();
      const result = await runRow(ground, row, { seed, operations, isShort, say });
      results.push(result);
      // At once: a whole run takes most of an hour.
      await write(ground, options, [result], []);
      const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
      say(`  ${isGreen(result) ? 'green' : 'RED'} after ${seconds} s`);
      for (const text of [...result.notes, ...reasonsOf(result)]) say(`  ${text}`);
      say(`  again: ${replayOf(result)}`);
    }
  }
  return results;
}

async function runMutations(ground: Ground, options: Options): Promise<Caught[]> {
  const { seed, operations, mutations } = options;
  const chosen = Array.isArray(mutations) ? mutations : MUTATIONS;
  const all: Caught[] = [];
  for (const mutation of chosen) {
    say(`${mutation.name}: ${mutation.what} ...`);
    const caught = await runMutation(ground, mutation, { seed, operations });
    all.push(caught);
    await write(ground, options, [], [caught]);
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

function list(): void {
  for (const { name, what } of [...ROWS, ...MUTATIONS]) {
    process.stdout.write(`${name.padEnd(28)}${what}\n`);
  }
}

// Whoever writes the page, or names no row, gets the broken engines too.
const wantsMutations = ({ mutations, write, only, minutes }: Options): boolean =>
  mutations !== undefined || (write === true && only === ROWS && minutes === undefined);

async function run(ground: Ground, options: Options): Promise<boolean> {
  const onlyMutations = options.mutations !== undefined;
  const results = onlyMutations ? [] : await runAll(ground, options);
  const caught = wantsMutations(options) ? await runMutations(ground, options) : [];
  if (options.json) {
    const json = { results: results.map(resultJson), mutations: caught.map(caughtJson) };
    process.stdout.write(`${JSON.stringify(json, null, 2)}\n`);
  } else {
    if (results.length > 0) process.stdout.write(`${plainTable(results)}\n`);
    if (caught.length > 0) process.stdout.write(`${mutationTable(caught)}\n`);
  }
  return results.every(isGreen) && caught.every(({ isCaught }) => isCaught);
}

async function main(): Promise<void> {
  const options = command.parse().opts<Options>();
  if (options.list) return list();
  const code = options.against ? resolve(options.against) : project;
  const ground = await prepareGround(code, say);
  say(`on ${describePrograms(ground.programs)}`);
  try {
    const isFine = await Promise.race([run(ground, options), interrupted()]);
    if (!isFine) process.exitCode = 1;
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
