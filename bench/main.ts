import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { CASES } from './cases/all.ts';
import type { Case } from './cases/case.ts';
import { AuditFailed, type Bench } from './contenders/contender.ts';
import { writePlot, writeSection } from './docs.ts';
import { Generator } from './load/generator.ts';
import { describeMachine } from './machine.ts';
import { machineReadable, markdown, plain, type Report } from './report.ts';
import { openServers } from './servers.ts';

interface Options {
  only: Case[];
  rounds: number;
  seconds: number;
  connections: number;
  listeners: number;
  scale: number;
  json?: boolean;
  write?: boolean;
  profile?: string;
  contenders?: string[];
  against?: string;
}

const say = (line: string) => process.stderr.write(`${line}\n`);

function positive(text: string): number {
  const number = Number(text);
  if (!(number > 0)) throw new InvalidArgumentError('expected a number above 0');
  return number;
}

const names = (text: string) => text.split(',').map((name) => name.trim());

function casesOf(text: string): Case[] {
  return text.split(',').map((name) => {
    const found = CASES.find((it) => it.name === name);
    if (found) return found;
    throw new InvalidArgumentError(`expected some of ${CASES.map((it) => it.name).join(', ')}`);
  });
}

const usual = CASES.filter((it) => !it.isLong);

const command = new Command('npm run bench --')
  .description('measures Holdfast and what it is compared with, in turn, on real servers')
  .option('--only <names>', 'only these tables, by commas', casesOf, usual)
  .option('--rounds <count>', 'rounds of each comparison', positive, 5)
  .option('--seconds <seconds>', 'length of a round', positive, 2)
  .option('--connections <count>', 'connections that ask at the same time', positive, 64)
  .option('--listeners <count>', 'listeners to live stock', positive, 5_000)
  .option('--scale <share>', 'share of the big numbers, such as holds or products', positive, 1)
  .option('--json', 'print JSON for machines')
  .option('--write', 'write the tables and plots into docs/performance.md')
  .option('--profile <folder>', 'write V8 CPU profiles of the APIs there; figures suffer')
  .option('--contenders <names>', 'only these, by commas, as the first column names them', names)
  .option('--against <folder>', 'measure Holdfast of another checkout too, compiled there')
  .addHelpText(
    'after',
    `
Tables:
${CASES.map((it) => `  ${it.name.padEnd(14)}${it.what}${it.isLong ? ' (minutes; only when named)' : ''}`).join('\n')}

Servers: private ones in a temporary folder, found as \`npm start\` finds them, or those of REDIS_URL
and MYSQL_URL, with databases of the bench's own. REDIS_SERVER and MYSQLD name other programs.
Exit codes: 0 measured, 1 the audit of a run failed, 2 wrong usage. A target that is not reached is
told, and is no failure.`,
  )
  .exitOverride();
// Only the names, not the cases themselves.
for (const option of command.options) {
  if (option.long === '--only') option.default(usual, 'all but the long ones');
}

async function runCases(bench: Bench, options: Options, footer: (name: string) => string) {
  const json: Record<string, unknown> = {};
  for (const it of options.only) {
    say(`\n${it.name}: ${it.what} ...`);
    const report: Report = await it.run(bench, options, say);
    json[it.name] = machineReadable(report);
    if (options.write) {
      for (const plot of report.plots ?? []) await writePlot(plot);
      await writeSection(it.name, `${markdown(report)}\n\n${footer(it.name)}`);
    }
    if (!options.json) process.stdout.write(`\n${plain(report, options.write)}`);
  }
  return json;
}

/** How a table can be measured again: with every option that is not the default. */
function commandOf(name: string): string {
  const given = command.options.flatMap((option) => {
    const key = option.attributeName();
    const value = command.getOptionValue(key);
    if (['only', 'write', 'json'].includes(key) || value === option.defaultValue) return [];
    const text = String(value);
    return [option.long ?? '', /^[\w./,-]+$/.test(text) ? text : `"${text}"`];
  });
  return ['npm run bench -- --write --only', name, ...given].join(' ');
}

// Servers and folders go away on Ctrl-C too.
function interrupted(): Promise<never> {
  return new Promise((_, reject) => {
    for (const signal of ['SIGINT', 'SIGTERM']) {
      process.once(signal, () => reject(new Error(`${signal}: nothing was measured`)));
    }
  });
}

async function main(): Promise<void> {
  const options = command.parse().opts<Options>();
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-bench-'));
  const servers = await openServers(folder, say);
  const generator = new Generator();
  try {
    const machine = describeMachine({ versions: servers.versions });
    say(machine);
    const profiles = options.profile && resolve(options.profile);
    const footer = (name: string) =>
      `Measured on ${machine}, ${new Date().toISOString().slice(0, 10)}, by ` +
      `\`${commandOf(name)}\`.`;
    const { contenders } = options;
    const wants = (name: string) => contenders?.includes(name) ?? true;
    const against = options.against && pathToFileURL(`${resolve(options.against)}/`).href;
    const bench: Bench = { servers, generator, profiles, wants, against };
    const json = await Promise.race([runCases(bench, options, footer), interrupted()]);
    if (options.json) process.stdout.write(`${JSON.stringify({ machine, ...json }, null, 2)}\n`);
  } finally {
    await generator.stop();
    await servers.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

try {
  await main();
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? 0 : 2;
  } else {
    const audit = error instanceof AuditFailed ? 'the audit failed: ' : '';
    say(`bench: ${audit}${(error as Error).message}`);
    process.exitCode = 1;
  }
}
// An API that was interrupted would keep this process; without it, the API ends by itself.
process.exit();
