import { Command } from 'commander';
import { migrated, readCommandConfig, serversOf } from './connect.ts';
import { printJson } from './output.ts';

export const migrateCommand = (): Command =>
  new Command('migrate')
    .description('bring the tables in MySQL up to date; several at once wait for each other')
    .option('--json', 'print {"migrations": N}')
    .addHelpText(
      'after',
      `
Examples:
  $ holdfast migrate
  $ MYSQL_URL=mysql://user:secret@db:3306/shop REDIS_URL=redis://cache:6379 \\
      holdfast migrate`,
    )
    .action(async ({ json }: { json?: boolean }) => {
      const migrations = await migrated(serversOf(await readCommandConfig()));
      if (json) printJson({ migrations });
      else if (migrations === 0) process.stdout.write('The tables are up to date.\n');
      else process.stdout.write(`Migrations applied: ${migrations}.\n`);
    });
