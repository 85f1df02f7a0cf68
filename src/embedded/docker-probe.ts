import { existsSync } from 'node:fs';
import { request } from 'node:http';
import { homedir } from 'node:os';
import { join } from 'node:path';

const PING_MS_MAX = 1_000;

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Why Docker cannot be used here; undefined when it can. Asks the daemon's socket, which takes
 * milliseconds, so that testcontainers is loaded only where it is of use.
 */
export async function unusableDocker(env: Environment): Promise<string | undefined> {
  if (env.DOCKER_HOST && !env.DOCKER_HOST.startsWith('unix://')) {
    return `Docker is not used: ${env.DOCKER_HOST} does not share this machine's folders`;
  }
  const isInContainer = existsSync('/.dockerenv') || existsSync('/run/.containerenv');
  if (isInContainer && !env.TESTCONTAINERS_HOST_OVERRIDE) {
    return 'Docker is not used: this is a container, with other folders and ports than the daemon';
  }
  const socketPath = socketPaths(env).find((path) => existsSync(path));
  if (socketPath === undefined) return 'Docker is not used: there is no Docker socket';
  return ping(socketPath);
}

/** The sockets that testcontainers tries, in its order. */
function socketPaths(env: Environment): string[] {
  if (env.DOCKER_HOST) return [env.DOCKER_HOST.slice('unix://'.length)];
  const runtimeFolder = env.XDG_RUNTIME_DIR;
  return [
    '/var/run/docker.sock',
    ...(runtimeFolder ? [join(runtimeFolder, 'docker.sock')] : []),
    join(homedir(), '.docker/run/docker.sock'),
    join(homedir(), '.docker/desktop/docker.sock'),
    `/run/user/${process.getuid?.()}/docker.sock`,
  ];
}

function ping(socketPath: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const call = request({ socketPath, path: '/_ping', timeout: PING_MS_MAX }, (response) => {
      response.resume();
      const isFine = response.statusCode === 200;
      resolve(isFine ? undefined : `Docker is not used: it answered ${response.statusCode}`);
    });
    call.once('timeout', () => call.destroy(new Error('no answer')));
    call.once('error', (error) => resolve(`Docker is not used: ${socketPath}: ${error.message}`));
    call.end();
  });
}
