import { randomUUID } from 'node:crypto';
import { styleText } from 'node:util';
import { Command, InvalidArgumentError } from 'commander';
import type { Holdfast } from '../compose.ts';
import type { Config } from '../config.ts';
import { type DemoServers, runDemo } from '../demo/run.ts';
import type { Plan } from '../demo/sale.ts';
import { tell } from '../demo/tell.ts';
import { Deadline } from '../domain/deadline.ts';
import { createLogger, type Logger } from '../log.ts';
import {
  type CommandConfig,
  readCommandConfig,
  serversOf,
  Unreachable,
  withHoldfast,
} from './connect.ts';
import { printJson, say } from './output.ts';
import { onStopSignal } from './signals.ts';
import { type Closer, closeAll, startHoldfast } from './start.ts';
import { UsageError } from './usage.ts';

const LIMIT_MS = 10_000;
/** Short, so that units come back while somebody looks. */
const TTLS = { holdTtlMs: 2_000, payTtlMs: 3_000 };
/** Nobody can buy for longer what a demo left over that did not come to its end. */
const SALE_ENDS_AFTER_MS = 3_600_000;
const INTERRUPTED = 130;

interface Options {
  buyers: number;
  stock: number;
  seconds: number;
  seed: number;
  url?: string;
  json?: boolean;
}

/** A Holdfast that sells, and a way past its API. */
interface Target {
  url: string;
  servers: DemoServers;
  /** Where it runs, for people. */
  told: string;
  use: <T>(work: (holdfast: Holdfast) => Promise<T>) => Promise<T>;
}

async function running(config: CommandConfig, url = config.httpUrl): Promise<Target | undefined> {
  if (url === undefined) return undefined;
  const servers = serversOf(config);
  const healthy = await fetch(new URL('/healthz', url)).catch(() => undefined);
  if (!healthy?.ok) throw new Unreachable(`no Holdfast answers at ${url}`);
  const told = `selling at the Holdfast that runs at ${url}`;
  return { url, servers, told, use: (work) => withHoldfast(config, work) };
}

async function started(config: Config, log: Logger, closers: Closer[]): Promise<Target> {
  const roles = ['api', 'writer', 'expiry', 'reconciler'] as const;
  const own: Config = { ...config, roles, host: '127.0.0.1', port: 0 };
  const { holdfast, servers, url } = await startHoldfast(own, log, closers);
  const told = `no Holdfast was running: this process sells at ${url} itself`;
  return { url, servers, told, use: (work) => work(holdfast) };
}

async function createProduct(
  { engine }: Holdfast,
  name: string,
  totalStock: number,
): Promise<number> {
  const limits = { extendMs: 0, maxPerHold: null, maxPerBuyer: null, lane: null };
  const times = { startsAtMs: null, endsAtMs: Date.now() + SALE_ENDS_AFTER_MS };
  const price = { priceMinor: 4_900, currency: 'USD' };
  const product = { name, totalStock, ...price, ...limits, ...times, ...TTLS };
  return (await engine.admin.create(product, new Deadline(LIMIT_MS))).id;
}

/** Fails unless the shop shows this very product: it may be on other servers. */
async function checkShop(url: string, productId: number, name: string): Promise<void> {
  const shown = await fetch(new URL(`/api/products/${productId}`, url));
  const product = (await shown.json()) as { name?: string };
  if (shown.ok && product.name === name) return;
  throw new UsageError(
    `the Holdfast at ${url} uses other servers: set REDIS_URL and MYSQL_URL to its own`,
  );
}

/** What is left over is not for sale to others. */
async function pauseProduct({ engine }: Holdfast, productId: number): Promise<void> {
  await engine.admin.change(productId, { status: 'paused' }, new Deadline(LIMIT_MS));
}

async function sell(
  { url, servers, told, use }: Target,
  options: Options,
  webhookSecret: string | undefined,
): Promise<void> {
  const { buyers, stock, seconds, seed } = options;
  // Machines read the result; who watches them on a terminal may watch the sale too.
  const stream = options.json && !process.stderr.isTTY ? undefined : process.stderr;
  if (stream) say(told);
  const run = randomUUID().slice(0, 8);
  const name = `Demo ${run}`;
  const productId = await use((holdfast) => createProduct(holdfast, name, stock));
  await checkShop(url, productId, name);
  const crowd = { buyers, stock, seconds, seed, run, ...TTLS };
  const plan: Plan = { url, productId, webhookSecret, ...crowd };
  const report = await runDemo(plan, servers, stream);
  await use((holdfast) => pauseProduct(holdfast, productId));
  if (options.json) printJson(report);
  else {
    const paint = (colour: 'green' | 'red', text: string) =>
      styleText(colour, text, { stream: process.stdout });
    process.stdout.write(tell(report, paint));
  }
  if (stream) say(`product ${productId} is paused: nobody can buy what is left of it`);
  if (!report.ok) process.exitCode = 1;
}

async function demo(options: Options): Promise<void> {
  const config = await readCommandConfig();
  // What the engine logs as usual would tear the picture apart.
  const log = createLogger(process.env.LOG_LEVEL ? config.logLevel : 'warn');
  const closers: Closer[] = [];
  const listenNoLonger = onStopSignal(async (signal) => {
    await closeAll(closers, log);
    say(`${signal}: the sale was left, and no audit was made`);
    process.exit(INTERRUPTED);
  });
  try {
    const target = (await running(config, options.url)) ?? (await started(config, log, closers));
    await sell(target, options, config.webhookSecrets[0]);
  } finally {
    await closeAll(closers, log);
    listenNoLonger();
  }
}

const whole = (min: number, max: number) => (text: string) => {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= min && value <= max) return value;
  throw new InvalidArgumentError(`Expected a whole number from ${min} to ${max}.`);
};

function webUrl(text: string): string {
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return new URL(text).origin;
  throw new InvalidArgumentError('Expected a URL such as http://127.0.0.1:3000.');
}

const HELP = `
Buyers storm the shop over HTTP. Some abandon their hold, give it back, are
refused by their bank, pay late, or never; payment events come twice, too late,
and before their order; requests are repeated with the same Idempotency-Key.
Units come back after ${TTLS.holdTtlMs / 1_000} s (holds) and ${TTLS.payTtlMs / 1_000} s (orders), and refused buyers with
them. Then both stores are audited past the engine.

It sells a product of its own at the Holdfast that runs in DATA_DIR, or at
--url; where none runs, it starts one in this process, on the servers of
REDIS_URL and MYSQL_URL or on private ones. At the end the product is paused.

The JSON: ok; findings, a line for each thing that is wrong; oversold, drift,
lost, doubled and unfinished, all 0 when ok; sold, in units; books, the same
stock by four accounts, in units. Everything else counts holds, orders, payment
events, requests or buyers: holds, orders and payment_events by what became of
them; refused buyers left without a unit, unserved ones without an answer;
p50_ms and p99_ms are those of hold requests, holds_per_second those answered
until every buyer had a first answer.

Exit codes: 0 the books balance, 1 the audit has failed, 2 wrong usage, 3 a
server cannot be reached, 130 interrupted

Examples:
  $ holdfast demo
  $ holdfast demo --buyers 50000 --seconds 20
  $ holdfast demo --buyers 200 --stock 20 --seed 7   # the same buyers each time
  $ holdfast demo --json | jq '{sold, oversold, drift}'
  $ REDIS_URL=redis://cache:6379 MYSQL_URL=mysql://user:secret@db/shop \\
      holdfast demo --url http://api:3000`;

/** `holdfast demo`: a flash sale to look at, and the proof that its books balance. */
export const demoCommand = (): Command =>
  new Command('demo')
    .description('run a flash sale against the running engine, and audit both stores')
    .option('--buyers <number>', 'how many people want it', whole(1, 1_000_000), 5_000)
    .option('--stock <units>', 'how many units there are', whole(1, 1_000_000), 500)
    .option('--seconds <number>', 'how long refused buyers come back', whole(0, 3_600), 15)
    .option('--seed <number>', 'decides what each buyer does', whole(0, 2 ** 32 - 1), 1)
    .option('--url <url>', 'sell there, on the servers of REDIS_URL and MYSQL_URL', webUrl)
    .option('--json', 'print the audit as JSON')
    .addHelpText('after', HELP)
    .action(demo);
