#!/usr/bin/env node
import { Command, CommanderError } from 'commander';
import { Unreachable } from './cli/connect.ts';
import { demoCommand } from './cli/demo.ts';
import { migrateCommand } from './cli/migrate.ts';
import { productCommand } from './cli/product.ts';
import { rebuildCommand } from './cli/rebuild.ts';
import { serveCommand } from './cli/serve.ts';
import { UsageError } from './cli/usage.ts';
import { BadConfig } from './config.ts';
import { driverError } from './db/client.ts';
import { Unavailable } from './domain/unavailable.ts';

/** What a shell, cron or CI learns from the exit code. */
const EXIT = { fine: 0, failed: 1, usage: 2, unreachable: 3 } as const;

const program = new Command('holdfast')
  .description('sells scarce stock to a crowd, without overselling a unit or losing a payment')
  .addHelpText(
    'after',
    '\nExit codes: 0 fine, 1 failed or findings, 2 wrong usage or configuration, 3 a server cannot be reached',
  )
  .exitOverride()
  .configureHelp({ showGlobalOptions: true });

const commands = [serveCommand, demoCommand, migrateCommand, productCommand, rebuildCommand];
for (const command of commands) program.addCommand(command());

// exitOverride() of a program does not reach commands that were made apart from it.
function overrideExits(command: Command): void {
  for (const child of command.commands) {
    child.exitOverride();
    overrideExits(child);
  }
}
overrideExits(program);

const isUnreachable = (error: unknown): boolean =>
  error instanceof Unreachable ||
  error instanceof Unavailable ||
  /^(ECONN|ENOTFOUND|ETIMEDOUT|EAI_|ER_ACCESS_DENIED|ER_BAD_DB|PROTOCOL_)/.test(
    driverError(error).code,
  ) ||
  /Connection is closed|ECONNREFUSED/.test((error as Error).message);

function exitCodeOf(error: unknown): number {
  // Commander has printed its own message already.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.fine : EXIT.usage;
  process.stderr.write(`holdfast: ${driverError(error).message || String(error)}\n`);
  if (error instanceof BadConfig || error instanceof UsageError) return EXIT.usage;
  return isUnreachable(error) ? EXIT.unreachable : EXIT.failed;
}

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = exitCodeOf(error);
}
