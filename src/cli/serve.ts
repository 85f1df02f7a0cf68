import { Command } from 'commander';
import { type Config, readConfig } from '../config.ts';
import { Deadline } from '../domain/deadline.ts';
import { publishRunning } from '../embedded/registry.ts';
import { createLogger, type Logger } from '../log.ts';
import { say } from './output.ts';
import { onStopSignal } from './signals.ts';
import { type Closer, closeAll, startHoldfast } from './start.ts';
import { rolesReady, welcome } from './welcome.ts';

const LIST_LIMIT_MS = 10_000;

async function start(config: Config, log: Logger, closers: Closer[]): Promise<void> {
  const { holdfast, servers, url } = await startHoldfast(config, log, closers);
  const isApi = config.roles.includes('api');
  if (!config.redisUrl) {
    await publishRunning(config.dataDir, {
      ...(isApi ? { http_url: url } : {}),
      lanes: config.lanes,
      hold_ttl_seconds: config.holdTtlMs / 1_000,
      pay_ttl_seconds: config.payTtlMs / 1_000,
    });
  }
  if (!isApi) {
    process.stdout.write(rolesReady(url, config.roles));
    return;
  }
  const [product] = await holdfast.engine.listProducts(new Deadline(LIST_LIMIT_MS));
  process.stdout.write(await welcome(url, product?.id, config, servers));
}

/** Runs until SIGTERM or SIGINT; a second signal ends it at once. */
async function serve(): Promise<void> {
  const config = readConfig(process.env);
  const log = createLogger(config.logLevel);
  const closers: Closer[] = [];
  let starting: Promise<void> = Promise.resolve();
  onStopSignal(async (signal) => {
    say(`${signal}: stopping; once more to stop at once`);
    await starting.catch(() => {});
    await closeAll(closers, log);
    say(config.redisUrl ? 'stopped' : `stopped; the data stays in ${config.dataDir}`);
    process.exit(0);
  });
  starting = start(config, log, closers);
  try {
    await starting;
  } catch (error) {
    await closeAll(closers, log);
    throw error;
  }
}

export const serveCommand = (): Command =>
  new Command('serve')
    .description('run the engine: the HTTP API, the writer, expiry and the reconciler')
    .addHelpText(
      'after',
      `
Configured by the environment; the README has the whole table. Without REDIS_URL
and MYSQL_URL it starts private servers of its own, with their data in DATA_DIR.
Without the role api it listens too, and answers /healthz, /readyz and /metrics
only.

Examples:
  $ holdfast serve
  $ PORT=8080 ADMIN_TOKEN=change-me-please holdfast serve
  $ PORT=3001 ROLES=writer,expiry REDIS_URL=redis://cache \\
      MYSQL_URL=mysql://user:secret@db/shop holdfast serve`,
    )
    .action(serve);
