import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { welcome } from '../../src/cli/welcome.ts';
import { readConfig } from '../../src/config.ts';

const servers = {
  redisUrl: 'redis://127.0.0.1:1',
  mysqlUrl: 'mysql://holdfast:secret@127.0.0.1:2/shop',
};
const told = () => welcome('http://127.0.0.1:3000', undefined, readConfig({}), servers);

test('the rows can be seen by one line where a client is installed, else by any client', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-welcome-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  onTestFinished(() => void vi.unstubAllEnvs());
  vi.stubEnv('PATH', folder);
  expect(await told()).toContain('127.0.0.1:2, user holdfast, password secret, database shop');
  await writeFile(join(folder, 'mariadb'), '#!/bin/sh\n');
  await chmod(join(folder, 'mariadb'), 0o755);
  expect(await told()).toContain('mariadb -h 127.0.0.1 -P 2 -u holdfast -psecret shop');
});

test('where payments must be signed, no line is told that would be refused', async () => {
  const config = readConfig({ STRIPE_WEBHOOK_SECRET: 'whsec_of_the_tests' });
  const text = await welcome('http://127.0.0.1:3000', 1, config, servers);
  expect(text).toContain('/api/orders');
  expect(text).not.toContain('/api/payments/webhook');
  expect(text).toContain('Payments must be signed');
});

test('without a product it says how to make one', async () => {
  expect(await told()).toContain('npx holdfast product create --help');
});
