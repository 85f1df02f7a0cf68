import { Command } from 'commander';
import { type Config, readConfig } from '../config.ts';
import { Deadline } from '../domain/deadline.ts';
import { publishHttpUrl } from '../embedded/registry.ts';
import { createLogger, type Logger } from '../log.ts';
import { type Closer, closeAll, say, startHoldfast } from './start.ts';
import { rolesReady, welcome } from './welcome.ts';

const LIST_LIMIT_MS = 10_000;

async function start(config: Config, log: Logger, closers: Closer[]): Promise<void> {
  const { holdfast, servers, url } = await startHoldfast(config, log, closers);
  if (!config.roles.includes('api')) {
    process.stdout.write(rolesReady(url, config.roles));
    return;
  }
  if (!config.redisUrl) await publishHttpUrl(config.dataDir, url);
  const [product] = await holdfast.engine.listProducts(new Deadline(LIST_LIMIT_MS));
  process.stdout.write(welcome(url, product?.id, config, servers));
}

/** Runs until SIGTERM or SIGINT; a second signal ends it at once. */
async function serve(): Promise<void> {
  const config = readConfig(process.env);
  const log = createLogger(config.logLevel);
  const closers: Closer[] = [];
  let starting: Promise<void> = Promise.resolve();
  let isStopping = false;
  const stop = async (signal: NodeJS.Signals) => {
    if (isStopping) process.exit(1);
    isStopping = true;
    say(`${signal}: stopping; once more to stop at once`);
    await starting.catch(() => {});
    await closeAll(closers, log);
    process.exit(0);
  };
  process.on('SIGTERM', (signal) => void stop(signal));
  process.on('SIGINT', (signal) => void stop(signal));
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
Configured by the environment; the README has the whole table. Without REDIS_URL and MYSQL_URL it
starts private servers of its own, with their data in DATA_DIR. Without the role api it listens too,
and answers /healthz and /readyz only.

Examples:
  $ holdfast serve
  $ PORT=8080 ADMIN_TOKEN=change-me-please holdfast serve
  $ PORT=3001 ROLES=writer,expiry REDIS_URL=redis://cache MYSQL_URL=mysql://user:secret@db/shop holdfast serve`,
    )
    .action(serve);
