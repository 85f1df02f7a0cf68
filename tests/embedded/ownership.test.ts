import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { lockDataDir } from '../../src/embedded/data-dir-lock.ts';
import { processRef } from '../../src/embedded/processes.ts';
import { readServersFile, type ServersFile } from '../../src/embedded/registry.ts';
import {
  ended,
  runSql,
  startOwner,
  startServers,
  temporaryFolder,
  until,
  withRedis,
} from './support.ts';

// The kernel's signal is Linux's own; the shell works everywhere.
const TETHERS = process.platform === 'linux' ? ['setpriv', 'pipe'] : ['pipe'];

// This process's id with another start: its owner died and the id was given again.
const DEAD = { pid: process.pid, start: 'before the machine was restarted' };

const silent = () => undefined;

describe('the owner of the servers', () => {
  it('has its folder alone, and takes both servers along when it is killed', async () => {
    const dataDir = await temporaryFolder();
    const owner = await startOwner('./servers-owner.ts', dataDir);
    const published = owner.report as ServersFile;
    expect(published.pid).toBe(owner.pid);
    await withRedis(published.redis_url, (redis) => redis.set('written', 'before the kill'));
    await runSql(published.mysql_url, 'CREATE TABLE written (id INT PRIMARY KEY)');

    await expect(startServers(dataDir)).rejects.toThrow(
      `DATA_DIR ${dataDir} is in use by process ${owner.pid}; stop it, or set DATA_DIR to another`,
    );
    expect(await readServersFile(dataDir)).toEqual(published);

    const serversEnded = ended([Number(published.redis_pid), Number(published.mysql_pid)]);
    owner.kill();
    await serversEnded();
    expect(await readServersFile(dataDir)).toBeUndefined();

    const { redisUrl, mysqlUrl } = await startServers(dataDir);
    expect(await withRedis(redisUrl, (redis) => redis.get('written'))).toBe('before the kill');
    expect(await runSql(mysqlUrl, 'SELECT id FROM written')).toEqual([]);
  });

  it('may start again at once after a kill: the next one waits for the old servers', async () => {
    const dataDir = await temporaryFolder();
    const owner = await startOwner('./servers-owner.ts', dataDir);
    const published = owner.report as ServersFile;
    const ownerEnded = ended([owner.pid]);
    const serversEnded = ended([Number(published.redis_pid), Number(published.mysql_pid)]);
    owner.kill();
    await ownerEnded();
    const { mysqlUrl } = await startServers(dataDir);
    await serversEnded();
    expect(await runSql(mysqlUrl, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  it.each(TETHERS)('is followed by its servers, tethered by %s', async (tether) => {
    const folder = await temporaryFolder();
    const owner = await startOwner('./tether-owner.ts', tether, join(folder, 'log'));
    const pids = owner.report as number[];
    expect(new Set(pids).size).toBe(tether === 'pipe' ? 2 : 1);
    const allEnded = ended(pids);
    owner.kill();
    await allEnded();
  });
});

describe('lockDataDir', () => {
  it('lets exactly one of many simultaneous starts have the folder', async () => {
    const dataDir = await temporaryFolder();
    const attempts = Array.from({ length: 20 }, () => lockDataDir(dataDir, silent));
    const outcomes = await Promise.allSettled(attempts);
    const winners = outcomes.flatMap((it) => (it.status === 'fulfilled' ? [it.value] : []));
    expect(winners).toHaveLength(1);
    await winners[0]?.release();
    await (await lockDataDir(dataDir, silent)).release();
  });

  it('takes over the lock of a dead process whose id was given again', async () => {
    const dataDir = await temporaryFolder();
    const text = JSON.stringify({ id: 'old', owner: DEAD, servers: [] });
    await writeFile(join(dataDir, 'lock'), text);
    const outcomes = await Promise.allSettled([
      lockDataDir(dataDir, silent),
      lockDataDir(dataDir, silent),
    ]);
    const winners = outcomes.flatMap((it) => (it.status === 'fulfilled' ? [it.value] : []));
    expect(winners).toHaveLength(1);
    await winners[0]?.release();
  });

  it('waits for the servers that a dead owner left', async () => {
    const dataDir = await temporaryFolder();
    const server = spawn(process.execPath, ['-e', 'setInterval(() => undefined, 60_000)']);
    onTestFinished(() => void server.kill('SIGKILL'));
    const holder = { id: 'old', owner: DEAD, servers: [processRef(Number(server.pid))] };
    await writeFile(join(dataDir, 'lock'), JSON.stringify(holder));
    const events: string[] = [];
    const locking = lockDataDir(dataDir, (line) => events.push(line));
    const locked = locking.then(() => events.push('locked'));
    await until(() => events.length > 0, 'a word about the wait');
    const waiting = `waiting for the servers of an earlier run to stop (processes ${server.pid}) ...`;
    expect(events).toEqual([waiting]);
    const ended = once(server, 'exit');
    server.kill('SIGTERM');
    await locked;
    expect(events).toEqual([waiting, 'locked']);
    // The lock may see it end before Node tells.
    await ended;
    await (await locking).release();
  });

  it('leaves the lock of another owner alone when it releases late', async () => {
    const dataDir = await temporaryFolder();
    const first = await lockDataDir(dataDir, silent);
    await first.release();
    const second = await lockDataDir(dataDir, silent);
    await first.release();
    await expect(lockDataDir(dataDir, silent)).rejects.toThrow('is in use by process');
    await second.release();
  });
});
