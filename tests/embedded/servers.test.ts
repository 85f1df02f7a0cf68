import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { readServersFile } from '../../src/embedded/registry.ts';
import {
  ended,
  namesIn,
  runSql,
  startServers,
  temporaryFolder,
  until,
  withRedis,
} from './support.ts';

describe('startEmbeddedServers', () => {
  it('keeps the data of both servers over a restart, and stops both', async () => {
    const dataDir = await temporaryFolder();
    const first = await startServers(dataDir);
    await withRedis(first.redisUrl, (redis) => redis.set('kept', 'yes'));
    await runSql(
      first.mysqlUrl,
      'CREATE TABLE kept (id INT PRIMARY KEY)',
      'INSERT INTO kept VALUES (7)',
    );
    const published = await readServersFile(dataDir);
    expect(published).toMatchObject({
      pid: process.pid,
      redis_url: first.redisUrl,
      mysql_url: first.mysqlUrl,
    });
    const serversEnded = ended([Number(published?.redis_pid), Number(published?.mysql_pid)]);
    await first.stop();
    await first.stop();
    await serversEnded();
    expect(await readServersFile(dataDir)).toBeUndefined();
    expect(await namesIn(dataDir)).not.toContain('lock');

    const second = await startServers(dataDir);
    expect(second.said).toEqual([]);
    expect(await withRedis(second.redisUrl, (redis) => redis.get('kept'))).toBe('yes');
    expect(await runSql(second.mysqlUrl, 'SELECT id FROM kept')).toEqual([{ id: 7 }]);
  });

  it('gives settings that the engine relies on', async () => {
    const dataDir = await temporaryFolder();
    const { redisUrl, mysqlUrl } = await startServers(dataDir, {
      redisArguments: ['--maxmemory', '64mb'],
    });
    const settings = await withRedis(redisUrl, (redis) =>
      redis.config('GET', 'appendonly', 'appendfsync', 'maxmemory-policy', 'maxmemory', 'bind'),
    );
    expect(Object.fromEntries(pairsOf(settings))).toEqual({
      appendonly: 'yes',
      appendfsync: 'everysec',
      'maxmemory-policy': 'noeviction',
      maxmemory: String(64 * 1024 * 1024),
      bind: '127.0.0.1',
    });
    const rows = await runSql(
      mysqlUrl,
      'CREATE DATABASE another_one',
      `SELECT @@innodb_flush_log_at_trx_commit AS flush, @@log_bin AS log_bin,
         @@global.time_zone AS zone, @@character_set_server AS charset, @@bind_address AS bind`,
    );
    expect(rows).toEqual([
      { flush: 1, log_bin: 0, zone: '+00:00', charset: 'utf8mb4', bind: '127.0.0.1' },
    ]);
  });

  it('is not hindered by what a killed initialisation left', async () => {
    const dataDir = await temporaryFolder();
    await mkdir(join(dataDir, 'mysql.new-4711/mysql'), { recursive: true });
    await mkdir(join(dataDir, 'mysql'));
    await writeFile(join(dataDir, 'mysql/ibdata1'), 'half of it');
    const { mysqlUrl, said } = await startServers(dataDir);
    expect(await runSql(mysqlUrl, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    const names = await namesIn(dataDir);
    expect(names.filter((name) => name.startsWith('mysql.new-'))).toEqual([]);
    const aside = names.find((name) => name.startsWith('mysql.incomplete-')) ?? 'none';
    expect(await readFile(join(dataDir, aside, 'ibdata1'), 'utf8')).toBe('half of it');
    expect(said).toContainEqual(expect.stringContaining(aside));
  });

  it('refuses data of another flavour, and names the way out', async () => {
    const dataDir = await temporaryFolder();
    await mkdir(join(dataDir, 'mysql'));
    await writeFile(join(dataDir, 'mysql/flavour'), 'OtherSQL 1.0.0\n');
    await expect(startServers(dataDir)).rejects.toThrow(
      /was made by OtherSQL 1\.0\.0, .* set DATA_DIR to another folder, or delete/,
    );
    expect(await namesIn(dataDir)).not.toContain('lock');
  });

  it.each(['REDIS_SERVER', 'MYSQLD'])('refuses a bad %s and names it', async (variable) => {
    const dataDir = await temporaryFolder();
    const notExecutable = join(dataDir, 'server');
    await writeFile(notExecutable, '');
    const otherProgram = join(dataDir, 'other');
    await writeFile(otherProgram, '#!/bin/sh\necho hello\n');
    await chmod(otherProgram, 0o755);
    try {
      for (const path of ['/nowhere/server', notExecutable]) {
        vi.stubEnv(variable, path);
        await expect(startServers(dataDir)).rejects.toThrow(
          `${variable}=${path} is missing or not executable`,
        );
      }
      vi.stubEnv(variable, otherProgram);
      await expect(startServers(dataDir)).rejects.toThrow(`${variable}=${otherProgram} does not`);
    } finally {
      vi.unstubAllEnvs();
    }
  });

  it('shows the end of the log when a server does not start', async () => {
    const dataDir = await temporaryFolder();
    const starting = startServers(dataDir, { redisArguments: ['--no-such-setting', '1'] });
    await expect(starting).rejects.toThrow(/ended while starting.*no-such-setting.*redis\.log/s);
    // MySQL, which did start, was stopped, and the folder is free.
    await startServers(dataDir);
  });

  it('tells when a server ends that nobody stopped', async () => {
    const dataDir = await temporaryFolder();
    const exits: string[] = [];
    await startServers(dataDir, { onExit: (name, how) => exits.push(`${name}: ${how}`) });
    const published = await readServersFile(dataDir);
    process.kill(Number(published?.redis_pid), 'SIGKILL');
    await until(() => exits.length > 0, 'onExit');
    expect(exits).toEqual(['redis: SIGKILL']);
  });
});

function pairsOf(flat: unknown): [string, string][] {
  if (!Array.isArray(flat)) return Object.entries(flat as Record<string, string>);
  return flat.flatMap((name, i) =>
    i % 2 === 0 ? [[String(name), String(flat[i + 1])] as [string, string]] : [],
  );
}
