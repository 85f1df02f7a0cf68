import { compiled } from './compiled.ts';
import { ADMIN_TOKEN, type ApiSettings, type RunningApi } from './settings.ts';

/** Holdfast itself, put together as `serve` does it. */
export async function startHoldfast(settings: ApiSettings): Promise<RunningApi> {
  const { redisUrl, mysqlUrl, roles, checkout, batchMax } = settings;
  const { readConfig } = (await compiled(
    'config',
    checkout,
  )) as typeof import('../../src/config.ts');
  const { compose } = (await compiled(
    'compose',
    checkout,
  )) as typeof import('../../src/compose.ts');
  const { createApp } = (await compiled(
    'http/app',
    checkout,
  )) as typeof import('../../src/http/app.ts');
  const { listen } = (await compiled(
    'http/server',
    checkout,
  )) as typeof import('../../src/http/server.ts');
  const { createLogger } = (await compiled('log', checkout)) as typeof import('../../src/log.ts');
  const config = readConfig({ ADMIN_TOKEN, ROLES: roles, LOG_LEVEL: 'warn' });
  const log = createLogger(config.logLevel);
  const holdfast = await compose({ config, redisUrl, mysqlUrl, log, batchMax });
  if (!config.roles.includes('api')) return { port: 0, close: holdfast.close };
  const { inbox: payments, metrics, ...parts } = holdfast;
  const { adminToken, lanes, host } = config;
  const unsigned = { kind: 'unsigned' } as const;
  const signing = { standard: unsigned, stripe: unsigned };
  const { read, listening } = metrics;
  const told = { metrics: read, listening, log };
  const app = createApp({ ...parts, ...told, payments, signing, adminToken, lanes });
  const server = await listen(app, { host, port: 0 });
  return {
    port: server.port,
    close: async () => {
      await server.close();
      await holdfast.close();
    },
  };
}
