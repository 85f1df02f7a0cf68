import { z } from 'zod';
import { LANES_MAX } from './domain/ids.ts';
import { isWebhookSecret } from './payments/signatures.ts';

const ROLES = ['api', 'writer', 'expiry', 'reconciler'] as const;
export type Role = (typeof ROLES)[number];

const whole = (min: number, max: number) =>
  z.string().regex(/^\d+$/).transform(Number).pipe(z.number().min(min).max(max));

const seconds = (min: number, max: number) => whole(min, max);

const roles = z
  .string()
  .transform((text) => text.split(',').map((role) => role.trim()))
  .pipe(z.array(z.enum(ROLES)).min(1));

const secrets = (isSecret: (text: string) => boolean) =>
  z
    .string()
    .transform((text) => text.split(',').map((secret) => secret.trim()))
    .pipe(z.array(z.string().refine(isSecret)).min(1));

const schema = z.object({
  PORT: whole(0, 65_535).default(3000),
  HOST: z.string().min(1).default('127.0.0.1'),
  REDIS_URL: z.url({ protocol: /^rediss?$/ }).optional(),
  MYSQL_URL: z.url({ protocol: /^mysql$/ }).optional(),
  LANES: whole(1, LANES_MAX).default(1),
  HOLD_TTL_SECONDS: seconds(1, 86_400).default(120),
  PAY_TTL_SECONDS: seconds(1, 604_800).default(900),
  IDEMPOTENCY_TTL_SECONDS: seconds(1, 604_800).default(86_400),
  OUTBOX_MAX: whole(1, 100_000_000).default(200_000),
  ADMIN_TOKEN: z.string().min(8).optional(),
  WEBHOOK_SECRET: secrets(isWebhookSecret).optional(),
  STRIPE_WEBHOOK_SECRET: secrets((text) => /^whsec_\S{8,}$/.test(text)).optional(),
  NODE_ENV: z.string().optional(),
  RATE_LIMIT: whole(0, 1_000_000).default(0),
  // Each client has a key in Redis for so long.
  RATE_LIMIT_SECONDS: seconds(1, 60).default(1),
  RATE_LIMIT_BY: z.enum(['address', 'buyer']).default('address'),
  TRUSTED_PROXY_HOPS: whole(0, 16).default(0),
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  ON_DRIFT: z.enum(['close', 'alarm']).default('close'),
  HISTORY: z.enum(['all', 'last']).default('all'),
  RECONCILE_SECONDS: seconds(0, 86_400).default(300),
  ROLES: roles.default([...ROLES]),
  DATA_DIR: z.string().min(1).default('.holdfast'),
});

const EXPECTED: Record<keyof typeof schema.shape, string> = {
  PORT: 'a port number from 0 to 65535',
  HOST: 'an address to listen on, such as 127.0.0.1',
  REDIS_URL: 'a URL such as redis://127.0.0.1:6379/0',
  MYSQL_URL: 'a URL such as mysql://user:password@127.0.0.1:3306/holdfast',
  LANES: `a whole number from 1 to ${LANES_MAX}`,
  HOLD_TTL_SECONDS: 'whole seconds from 1 to 86400',
  PAY_TTL_SECONDS: 'whole seconds from 1 to 604800',
  IDEMPOTENCY_TTL_SECONDS: 'whole seconds from 1 to 604800',
  OUTBOX_MAX: 'a whole number of transitions from 1 to 100000000',
  ADMIN_TOKEN: 'at least 8 characters',
  WEBHOOK_SECRET:
    'one or more secrets, separated by commas, each whsec_ and 24 to 64 bytes in base64 ("openssl rand -base64 32" makes one)',
  STRIPE_WEBHOOK_SECRET:
    "one or more of Stripe's signing secrets, separated by commas, each beginning with whsec_",
  NODE_ENV: 'production, or anything else',
  RATE_LIMIT: 'a whole number of requests from 1 to 1000000, or 0 for no limit',
  RATE_LIMIT_SECONDS: 'whole seconds from 1 to 60',
  RATE_LIMIT_BY: 'address or buyer',
  TRUSTED_PROXY_HOPS: 'a whole number of proxies from 0 to 16',
  LOG_LEVEL: 'one of fatal, error, warn, info, debug, trace, silent',
  ON_DRIFT: 'close (the lane, until the books agree) or alarm (only)',
  HISTORY: 'all (transitions of a reservation) or last (its state only)',
  RECONCILE_SECONDS: 'whole seconds from 1 to 86400, or 0 for never',
  ROLES: `a comma-separated list of ${ROLES.join(', ')}`,
  DATA_DIR: 'a folder',
};

export interface Config {
  port: number;
  host: string;
  redisUrl: string | undefined;
  mysqlUrl: string | undefined;
  lanes: number;
  holdTtlMs: number;
  payTtlMs: number;
  idempotencyTtlMs: number;
  outboxMax: number;
  adminToken: string | undefined;
  /** Of payment webhooks; each is as good as the others. */
  webhookSecrets: readonly string[];
  stripeSecrets: readonly string[];
  /** Then no payment is taken that is not signed. */
  isProduction: boolean;
  /** How many requests a client may send in a window; undefined for as many as it likes. */
  rateLimit: { requests: number; windowMs: number; by: 'address' | 'buyer' } | undefined;
  /** How many proxies stand between the clients and this process. */
  trustedProxyHops: number;
  logLevel: string;
  /** Whether a lane whose books disagree stops selling until they agree again. */
  closesOnDrift: boolean;
  /** Whether every transition is kept, or the last state of each reservation only. */
  keepsHistory: boolean;
  /** How often all books are compared; 0 for never. */
  reconcileEveryMs: number;
  roles: readonly Role[];
  dataDir: string;
}

/** The environment says something that cannot be meant. One line for each variable. */
export class BadConfig extends Error {
  override readonly name = 'BadConfig';
}

function rateLimitOf(env: z.output<typeof schema>): Config['rateLimit'] {
  const { RATE_LIMIT: requests, RATE_LIMIT_SECONDS: windowSeconds, RATE_LIMIT_BY: by } = env;
  return requests === 0 ? undefined : { requests, windowMs: windowSeconds * 1000, by };
}

/** Reads the environment once. Throws `BadConfig` naming each bad variable and what is expected. */
export function readConfig(environment: NodeJS.ProcessEnv): Config {
  // An empty variable is an unset one: `PORT= npm start`.
  const set = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''));
  const parsed = schema.safeParse(set);
  if (!parsed.success) {
    const names = new Set(parsed.error.issues.map((issue) => String(issue.path[0])));
    const lines = [...names].map((name) => {
      const expected = EXPECTED[name as keyof typeof EXPECTED];
      const secret = /_(TOKEN|URL|SECRET)$/.test(name);
      const given = secret ? '' : ` "${environment[name]}"`;
      return `${name}${given} is not valid: expected ${expected}`;
    });
    throw new BadConfig(lines.join('\n'));
  }
  const env = parsed.data;
  if ((env.REDIS_URL === undefined) !== (env.MYSQL_URL === undefined)) {
    const missing = env.REDIS_URL === undefined ? 'REDIS_URL' : 'MYSQL_URL';
    throw new BadConfig(`${missing} is not set: set both REDIS_URL and MYSQL_URL, or neither`);
  }
  return {
    port: env.PORT,
    host: env.HOST,
    redisUrl: env.REDIS_URL,
    mysqlUrl: env.MYSQL_URL,
    lanes: env.LANES,
    holdTtlMs: env.HOLD_TTL_SECONDS * 1000,
    payTtlMs: env.PAY_TTL_SECONDS * 1000,
    idempotencyTtlMs: env.IDEMPOTENCY_TTL_SECONDS * 1000,
    outboxMax: env.OUTBOX_MAX,
    adminToken: env.ADMIN_TOKEN,
    webhookSecrets: env.WEBHOOK_SECRET ?? [],
    stripeSecrets: env.STRIPE_WEBHOOK_SECRET ?? [],
    isProduction: env.NODE_ENV === 'production',
    rateLimit: rateLimitOf(env),
    trustedProxyHops: env.TRUSTED_PROXY_HOPS,
    logLevel: env.LOG_LEVEL,
    closesOnDrift: env.ON_DRIFT === 'close',
    keepsHistory: env.HISTORY === 'all',
    reconcileEveryMs: env.RECONCILE_SECONDS * 1000,
    roles: env.ROLES,
    dataDir: env.DATA_DIR,
  };
}
