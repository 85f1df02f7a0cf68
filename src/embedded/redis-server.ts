import { mkdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { type Maker, readMaker, refuseForeignData, writeMaker } from './maker.ts';
import type { Program } from './programs.ts';
import { onFreePort, untilReady } from './ready.ts';
import type { ServerContext, StartedServer } from './server-context.ts';
import { launch } from './server-process.ts';

const PROBE_MS_MAX = 1_000;

/**
 * Settings that hold in a container too: durable to a second, and never evicting what it promised.
 */
export const REDIS_SETTINGS: readonly string[] = [
  ...['--databases', '64'],
  ...['--appendonly', 'yes', '--appendfsync', 'everysec', '--save', ''],
  ...['--maxmemory-policy', 'noeviction'],
];

/**
 * Starts a private Redis or Valkey on a free port of 127.0.0.1, with its data in DATA_DIR/redis.
 */
export async function startRedis(context: ServerContext, program: Program): Promise<StartedServer> {
  const folder = join(context.dataDir, 'redis');
  await prepareRedisFolder(folder, program);
  return onFreePort(async (port) => {
    const logPath = join(context.dataDir, 'redis.log');
    const server = await launch({
      path: program.path,
      args: [
        ...['--bind', '127.0.0.1', '--port', String(port), '--protected-mode', 'yes'],
        ...['--dir', folder, '--daemonize', 'no'],
        ...REDIS_SETTINGS,
        ...context.redisArguments,
      ],
      environment: program.environment,
      logPath,
    });
    await context.started(server.pid);
    const name = `${program.flavour} ${program.version}`;
    const probe = () => pingRedis('127.0.0.1', port);
    try {
      await untilReady({ ...server, name, logPath, probe, say: context.say });
    } catch (error) {
      await server.stop();
      throw error;
    }
    return {
      ...server,
      url: `redis://127.0.0.1:${port}`,
      description: name,
    };
  });
}

/**
 * Resolves when Redis serves commands. It accepts connections, and answers -LOADING, before that.
 */
export function pingRedis(host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    socket.setTimeout(PROBE_MS_MAX, () => socket.destroy(new Error('no answer to PING')));
    socket.once('connect', () => socket.write('PING\r\n'));
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('connection closed')));
    socket.once('data', (reply) => {
      const text = reply.toString('utf8').trim();
      // -NOAUTH: it is up, and the caller's arguments gave it a password.
      if (text.startsWith('+PONG') || text.startsWith('-NOAUTH')) resolve();
      else reject(new Error(text));
      socket.destroy();
    });
  });
}

/** Makes the folder, or throws when its data comes from another flavour or a newer version. */
export async function prepareRedisFolder(folder: string, server: Maker): Promise<void> {
  await mkdir(folder, { recursive: true });
  const maker = await readMaker(folder);
  if (maker) refuseForeignData(folder, maker, server);
  await writeMaker(folder, server);
}
