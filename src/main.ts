#!/usr/bin/env node
import { Command, CommanderError } from 'commander';
import { isUnreachable } from './cli/connect.ts';
import { deadLettersCommand } from './cli/dead-letters.ts';
import { demoCommand } from './cli/demo.ts';
import { doctorCommand } from './cli/doctor.ts';
import { helpCommand } from './cli/help.ts';
import { migrateCommand } from './cli/migrate.ts';
import { ordersCommand } from './cli/orders.ts';
import { outboxCommand } from './cli/outbox.ts';
import { say } from './cli/output.ts';
import { productCommand } from './cli/product.ts';
import { rebuildCommand } from './cli/rebuild.ts';
import { reconcileCommand } from './cli/reconcile.ts';
import { refundsCommand } from './cli/refunds.ts';
import { serveCommand } from './cli/serve.ts';
import { showCommand } from './cli/show.ts';
import { UsageError } from './cli/usage.ts';
import { BadConfig } from './config.ts';
import { driverError } from './db/client.ts';
import { UnusableSetting } from './embedded/unusable.ts';
import { TooFewLanes } from './recovery/errors.ts';
import { VERSION } from './version.ts';

/** What a shell, cron or CI learns from the exit code. */
const EXIT = { fine: 0, failed: 1, usage: 2, unreachable: 3 } as const;
const WRONG_USAGE = [BadConfig, UsageError, UnusableSetting, TooFewLanes];

// Who reads through `head` has read enough.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit();
  });
}

const program = new Command('holdfast')
  .description('sells scarce stock to a crowd, without overselling a unit or losing a payment')
  .version(VERSION)
  .addHelpText(
    'after',
    '\nExit codes: 0 fine, 1 failed, refused or findings, 2 wrong usage or\n' +
      'configuration, 3 a server cannot be reached',
  )
  .addHelpText('afterAll', '\nIn a checkout of Holdfast: npx holdfast <command>')
  .configureOutput({ outputError: (text) => say(text.trim().replace(/^error: /, '')) })
  .exitOverride();

const commands = [
  serveCommand,
  demoCommand,
  migrateCommand,
  productCommand,
  ordersCommand,
  showCommand,
  outboxCommand,
  doctorCommand,
  reconcileCommand,
  rebuildCommand,
  deadLettersCommand,
  refundsCommand,
];
for (const command of commands) program.addCommand(command());
program.addCommand(helpCommand(program));

// Settings of a program do not reach commands that were made apart from it.
function inheritSettings(command: Command): void {
  for (const child of command.commands) {
    child.copyInheritedSettings(command);
    inheritSettings(child);
  }
}
inheritSettings(program);

function exitCodeOf(error: unknown): number {
  // Commander has printed its own message already.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.fine : EXIT.usage;
  say(driverError(error).message || String(error));
  if (WRONG_USAGE.some((kind) => error instanceof kind)) return EXIT.usage;
  return isUnreachable(error) ? EXIT.unreachable : EXIT.failed;
}

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = exitCodeOf(error);
}
