import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  GenericContainer,
  getContainerRuntimeClient,
  getReaper,
  ImageName,
  type StartedTestContainer,
  StartupCheckStrategy,
} from 'testcontainers';
import { writeMaker } from './maker.ts';
import { hasUsableData, mysqlFolder } from './mysql-folder.ts';
import { logIn, MYSQL_SET_UP, MYSQL_SETTINGS, mysqlUrl } from './mysql-server.ts';
import { untilReady } from './ready.ts';
import { pingRedis, prepareRedisFolder, REDIS_SETTINGS } from './redis-server.ts';
import type { ServerContext, StartedServer } from './server-context.ts';

const STOP_MS_MAX = 15_000;
const LOG_LINES = 12;

/** Makes sure that containers of the image can be started. Throws when it cannot be downloaded. */
export async function obtainImage(image: string, say: (line: string) => void): Promise<void> {
  const client = await getContainerRuntimeClient();
  const name = ImageName.fromString(image);
  if (!(await client.image.exists(name))) {
    say(`fetching the Docker image ${image}, once ...`);
    await client.image.pull(name, { force: false, platform: undefined });
  }
  // Its image is needed too: it removes the containers when this process is killed.
  await getReaper(client);
}

/** Starts Redis in a container, with its data in DATA_DIR/redis. */
export async function startRedisContainer(
  context: ServerContext,
  image: string,
): Promise<StartedServer> {
  const folder = join(context.dataDir, 'redis');
  const server = { flavour: 'Redis' as const, version: versionOf(image) };
  await prepareRedisFolder(folder, server);
  const container = await start(context, image, 6379, (definition) =>
    definition
      .withBindMounts([{ source: folder, target: '/data' }])
      .withCommand(['redis-server', ...REDIS_SETTINGS, ...context.redisArguments]),
  );
  const [host, port] = [hostName(), container.getMappedPort(6379)];
  await whenReady(context, image, container, () => pingRedis(host, port));
  return startedServer(`redis://${host}:${port}`, image, container);
}

/** Starts MySQL in a container, with its data in DATA_DIR/mysql. */
export async function startMysqlContainer(
  context: ServerContext,
  image: string,
): Promise<StartedServer> {
  const folder = mysqlFolder(context.dataDir);
  const server = { flavour: 'MySQL' as const, version: versionOf(image) };
  if (!(await hasUsableData(context, server))) {
    context.say(`preparing ${image} in ${folder} ...`);
    await mkdir(folder, { recursive: true });
  }
  const container = await start(context, image, 3306, (definition) =>
    definition
      .withBindMounts([{ source: folder, target: '/var/lib/mysql' }])
      .withEnvironment({ MYSQL_ROOT_PASSWORD: 'holdfast' })
      .withCommand(['mysqld', ...MYSQL_SETTINGS, '--mysqlx=OFF']),
  );
  const [host, port] = [hostName(), container.getMappedPort(3306)];
  const asRoot = mysqlUrl(host, port, 'root');
  await whenReady(context, image, container, () => logIn(asRoot, MYSQL_SET_UP));
  await writeMaker(folder, server);
  return startedServer(mysqlUrl(host, port), image, container);
}

class Started extends StartupCheckStrategy {
  // Readiness is asked from outside, as for a process: it needs no program in the image.
  override async checkStartupState(): Promise<'SUCCESS'> {
    return 'SUCCESS';
  }
}

class LoopbackContainer extends GenericContainer {
  /** A random port, of 127.0.0.1 only: by itself Docker opens it to the network. */
  onLoopback(port: number): this {
    this.hostConfig.PortBindings = { [`${port}/tcp`]: [{ HostIp: '127.0.0.1', HostPort: '0' }] };
    return this;
  }
}

async function start(
  context: ServerContext,
  image: string,
  port: number,
  define: (container: GenericContainer) => GenericContainer,
): Promise<StartedTestContainer> {
  const name = containerName(context.dataDir, image);
  await removeContainer(name);
  const container = new LoopbackContainer(image)
    .withExposedPorts(port)
    .onLoopback(port)
    .withName(name)
    .withWaitStrategy(new Started());
  const uid = process.getuid?.() ?? 0;
  // The data then belongs to the user; on macOS Docker sees to that itself.
  if (process.platform === 'linux' && uid !== 0) {
    container.withUser(`${uid}:${process.getgid?.() ?? uid}`);
  }
  try {
    return await define(container).start();
  } catch (error) {
    const log = await logTail(name).catch(() => '');
    await removeContainer(name);
    throw new Error(`${image}: ${messageOf(error)}\n${log}`.trim(), { cause: error });
  }
}

/** One name per folder and server: it finds what a crashed owner left running. */
function containerName(dataDir: string, image: string): string {
  const folder = createHash('sha256').update(dataDir).digest('hex').slice(0, 12);
  return `holdfast-${image.split(':')[0]}-${folder}`;
}

async function removeContainer(name: string): Promise<void> {
  const client = await getContainerRuntimeClient();
  const container = client.container.getById(name);
  const isThere = await container.inspect().then(
    () => true,
    () => false,
  );
  if (!isThere) return;
  await container.stop({ t: STOP_MS_MAX / 1000 }).catch(() => undefined);
  await container.remove({ force: true }).catch(() => undefined);
}

async function whenReady(
  context: ServerContext,
  image: string,
  container: StartedTestContainer,
  probe: () => Promise<void>,
): Promise<void> {
  const client = await getContainerRuntimeClient();
  const handle = client.container.getById(container.getId());
  let ended: string | undefined;
  try {
    await untilReady({
      name: image,
      logPath: `docker logs ${container.getName()}`,
      ended: () => ended,
      logTail: () => logTail(container.getId()),
      say: context.say,
      async probe() {
        const { State: state } = await handle.inspect();
        if (!state.Running) ended = `exit code ${state.ExitCode}`;
        await probe();
      },
    });
  } catch (error) {
    await container.stop();
    throw error;
  }
}

async function logTail(container: string): Promise<string> {
  const client = await getContainerRuntimeClient();
  const options = { stdout: true, stderr: true, tail: LOG_LINES, follow: false as const };
  return plainText(await client.container.getById(container).logs(options));
}

/** Source: Docker Engine API, ContainerAttach: the length is in the last 4 of 8 header bytes. */
function plainText(frames: Buffer): string {
  const parts: string[] = [];
  for (let at = 0; at + 8 <= frames.length; ) {
    const length = frames.readUInt32BE(at + 4);
    parts.push(frames.toString('utf8', at + 8, at + 8 + length));
    at += 8 + length;
  }
  return parts.join('').trimEnd();
}

function startedServer(url: string, image: string, container: StartedTestContainer): StartedServer {
  return {
    url,
    description: `${image} (Docker)`,
    pid: null,
    exited: new Promise(() => undefined),
    async stop() {
      await container.stop({ timeout: STOP_MS_MAX });
    },
  };
}

/** "redis:8-alpine" is version 8. */
function versionOf(image: string): string {
  return /:([\d.]+)/.exec(image)?.[1] ?? '0';
}

function hostName(): string {
  return process.env.TESTCONTAINERS_HOST_OVERRIDE ?? '127.0.0.1';
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
