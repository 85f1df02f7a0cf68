import { compose, type Holdfast } from '../compose.ts';
import { BadConfig, type Config } from '../config.ts';
import { Deadline } from '../domain/deadline.ts';
import { startEmbeddedServers } from '../embedded/servers.ts';
import { createApp, createHealthApp } from '../http/app.ts';
import type { RequestLimit } from '../http/rate-limit.ts';
import { type Listening, listen } from '../http/server.ts';
import type { Logger } from '../log.ts';
import { standardSignatures, UNSIGNED, type WebhookSigning } from '../payments/signatures.ts';
import { Limiter } from '../redis/limiter.ts';
import { migrated, type ServerUrls } from './connect.ts';
import { say } from './output.ts';

const SAMPLE_LIMIT_MS = 10_000;

export type Closer = () => Promise<unknown>;

/** What `startHoldfast` has started. */
export interface Started {
  holdfast: Holdfast;
  servers: ServerUrls;
  /** Where it answers HTTP: the API, or without the role api only how it is. */
  url: string;
}

async function startServers(config: Config, log: Logger, closers: Closer[]): Promise<ServerUrls> {
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
  const rules = {
    startsAtMs: null,
    endsAtMs: null,
    holdTtlMs: null,
    payTtlMs: null,
    lane: null,
    extendMs: 0,
  };
  const limits = { maxPerHold: 4, maxPerBuyer: null };
  const price = { priceMinor: 12_900, currency: 'USD' };
  const sample = { name: 'Aurora desk lamp', totalStock: 100, ...price, ...rules, ...limits };
  await engine.admin.create(sample, deadline);
}

// Payments that anybody could have sent are for trying things out: with one kind of secret set, the
// other webhook is shut, not open.
async function signingOf(config: Config, log: Logger): Promise<WebhookSigning> {
  const { webhookSecrets, stripeSecrets, isProduction } = config;
  const signing: WebhookSigning = { standard: { kind: 'off' }, stripe: { kind: 'off' } };
  if (webhookSecrets.length > 0) {
    signing.standard = { kind: 'signed', verify: standardSignatures(webhookSecrets) };
  }
  if (stripeSecrets.length > 0) {
    // A large library: only those who use it load it.
    const { stripeSignatures } = await import('../payments/stripe-signatures.ts');
    signing.stripe = { kind: 'signed', verify: stripeSignatures(stripeSecrets) };
  }
  if (webhookSecrets.length + stripeSecrets.length > 0) return signing;
  if (isProduction) {
    throw new BadConfig(
      'WEBHOOK_SECRET is not set: with NODE_ENV=production payments must be signed; set it, or STRIPE_WEBHOOK_SECRET',
    );
  }
  log.warn('payments are taken unsigned: set WEBHOOK_SECRET before anybody can reach this');
  return UNSIGNED;
}

function limitOf({ link }: Holdfast, config: Config): RequestLimit | undefined {
  const { rateLimit, trustedProxyHops } = config;
  if (!rateLimit) return undefined;
  const limiter = new Limiter(link.redis, rateLimit);
  return { by: rateLimit.by, trustedProxyHops, take: (client) => limiter.take(client) };
}

// Who watches a process without the role api asks it the same way as the others.
function appOf(holdfast: Holdfast, config: Config, signing: WebhookSigning, log: Logger) {
  const { engine, inbox: payments, ready, metrics } = holdfast;
  const { adminToken, lanes, roles } = config;
  const health = { ready, metrics: metrics.read, log };
  if (!roles.includes('api')) return createHealthApp(health);
  const { reconcile, reconciliations, deadLetters, refunds } = holdfast;
  const books = { reconcile, reconciliations, deadLetters, refunds };
  const limit = limitOf(holdfast, config);
  const { listening } = metrics;
  const taken = { payments, signing, adminToken, limit, listening };
  return createApp({ ...health, ...books, ...taken, engine, lanes });
}

async function listenAs(app: ReturnType<typeof appOf>, config: Config): Promise<Listening> {
  return listen(app, config).catch((error: Error) => {
    const { code } = (error.cause ?? {}) as { code?: string };
    if (!/^(EADDRNOTAVAIL|ENOTFOUND|EAI_)/.test(code ?? '')) throw error;
    throw new BadConfig(
      `HOST "${config.host}" is not valid: expected an address of this machine, such as 127.0.0.1`,
    );
  });
}

/**
 * Starts the servers that the configuration does not name, brings the tables up to date, and runs
 * the configured roles in this process. What it starts is added to `closers` at once, so that a
 * caller can stop half of it.
 */
export async function startHoldfast(
  config: Config,
  log: Logger,
  closers: Closer[],
): Promise<Started> {
  // Before anything is started that would have to be stopped again.
  const signing = config.roles.includes('api') ? await signingOf(config, log) : UNSIGNED;
  const servers = await startServers(config, log, closers);
  const migrations = await migrated(servers);
  if (migrations > 0) log.info({ migrations }, 'tables brought up to date');
  const holdfast = await compose({ config, ...servers, log });
  closers.push(holdfast.close);
  if (!config.redisUrl) await makeSample(holdfast);
  const server = await listenAs(appOf(holdfast, config, signing, log), config);
  closers.push(server.close);
  return { holdfast, servers, url: server.url };
}

/** Stops everything, the last one started first. */
export async function closeAll(closers: Closer[], log: Logger): Promise<void> {
  for (const close of closers.splice(0).reverse()) {
    await close().catch((error) => log.error({ err: error }, 'while stopping'));
  }
}
