import { Command } from 'commander';
import { compose, type Holdfast } from '../compose.ts';
import { type Config, readConfig } from '../config.ts';
import { migrateDatabase } from '../db/migrate.ts';
import { Deadline } from '../domain/deadline.ts';
import { startEmbeddedServers } from '../embedded/servers.ts';
import { createApp } from '../http/app.ts';
import { listen } from '../http/server.ts';
import { createLogger, type Logger } from '../log.ts';
import type { ServerUrls } from './connect.ts';
import { welcome } from './welcome.ts';

const SAMPLE_LIMIT_MS = 10_000;

type Closer = () => Promise<unknown>;

const say = (line: string) => process.stderr.write(`${line}\n`);

async function servers(config: Config, log: Logger, closers: Closer[]): Promise<ServerUrls> {
  const { redisUrl, mysqlUrl, dataDir } = config;
  if (redisUrl && mysqlUrl) return { redisUrl, mysqlUrl };
  const embedded = await startEmbeddedServers({
    dataDir,
    say,
    onExit: (name, how) => log.error({ server: name, how }, 'an embedded server has ended'),
  });
  closers.push(() => embedded.stop());
  say(`data in ${dataDir}, on ${embedded.redis.description} and ${embedded.mysql.description}`);
  return embedded;
}

// A newcomer finds something to buy; a shop's own database is left alone.
async function makeSample({ engine }: Holdfast): Promise<void> {
  const deadline = new Deadline(SAMPLE_LIMIT_MS);
  if ((await engine.listProducts(deadline)).length > 0) return;
  const rules = { startsAtMs: null, endsAtMs: null, holdTtlMs: null, payTtlMs: null, lane: null };
  const limits = { maxPerHold: 4, maxPerBuyer: null };
  const price = { priceMinor: 12_900, currency: 'USD' };
  const sample = { name: 'Aurora desk lamp', totalStock: 100, ...price, ...rules, ...limits };
  await engine.admin.create(sample, deadline);
}

async function start(config: Config, log: Logger, closers: Closer[]): Promise<void> {
  const urls = await servers(config, log, closers);
  const migrations = await migrateDatabase(urls.mysqlUrl);
  if (migrations > 0) log.info({ migrations }, 'tables brought up to date');
  const holdfast = await compose({ config, ...urls, log });
  closers.push(holdfast.close);
  if (!config.redisUrl) await makeSample(holdfast);
  if (!config.roles.includes('api')) {
    say(`Holdfast runs ${config.roles.join(', ')}; no HTTP without the role api`);
    return;
  }
  const { engine, inbox, ready } = holdfast;
  const { adminToken, lanes, host, port } = config;
  const app = createApp({ engine, payments: inbox, ready, adminToken, log, lanes });
  const server = await listen(app, { host, port });
  closers.push(server.close);
  const [product] = await engine.listProducts(new Deadline(SAMPLE_LIMIT_MS));
  process.stdout.write(welcome(server.url, product?.id, config, urls));
}

async function closeAll(closers: Closer[], log: Logger): Promise<void> {
  for (const close of closers.splice(0).reverse()) {
    await close().catch((error) => log.error({ err: error }, 'while stopping'));
  }
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
starts private servers of its own, with their data in DATA_DIR.

Examples:
  $ holdfast serve
  $ PORT=8080 ADMIN_TOKEN=change-me-please holdfast serve
  $ ROLES=writer,expiry REDIS_URL=redis://cache:6379 MYSQL_URL=mysql://user:secret@db/shop holdfast serve`,
    )
    .action(serve);
