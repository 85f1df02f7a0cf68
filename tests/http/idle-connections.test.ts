import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { connectionsMax } from '../../src/http/connections.ts';
import { listen } from '../../src/http/server.ts';
import { expectBooksBalance } from '../support/books.ts';
import { atOnce } from '../support/buying.ts';
import { makeProduct, ownEngine } from '../support/engine.ts';
import { eventually } from '../support/wait.ts';
import { RawClient } from './sockets.ts';
import { appOn, send } from './support.ts';

/** As many as the issue names, or as the machine lets a process open. */
const IDLE = Math.min(10_000, connectionsMax() - 200);
const OPEN_LIMIT_MS = 30_000;
/** None of them is to be cut off while the test looks. */
const TIMEOUTS = { headersMs: 120_000, requestMs: 120_000, keepAliveMs: 120_000 };

/** A process that has so many connections open; asked, it tells how they are. */
async function idleClients(port: number, count: number) {
  const path = fileURLToPath(new URL('./idle-clients.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', 'tsx', path, String(port), String(count)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const lines = createInterface({ input: child.stdout });
  return {
    tell: async (): Promise<{ open: number; answered: number }> => {
      child.stdin.write('\n');
      const [line] = await once(lines, 'line');
      return JSON.parse(line);
    },
    end: async () => {
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

test('10,000 idle connections keep no buyer from a hold', { timeout: 60_000 }, async () => {
  const engine = await ownEngine({}, expectBooksBalance);
  const { id } = await makeProduct(engine, { totalStock: 100 });
  const server = await listen(appOn(engine), { host: '127.0.0.1', port: 0, timeouts: TIMEOUTS });
  onTestFinished(() => server.close());
  const idle = await idleClients(server.port, IDLE);
  // A fourth of them has asked for something: the server has taken them all.
  const all = { open: IDLE, answered: Math.floor(IDLE / 4) };
  await eventually(async () => expect(await idle.tell()).toEqual(all), OPEN_LIMIT_MS);

  const hold = () =>
    send((path, init) => fetch(server.url + path, init), 'POST', '/api/holds', {
      product_id: id,
      qty: 1,
    });
  const answers = await atOnce(50, hold);
  expect(answers.map(({ status }) => status)).toEqual(Array(50).fill(201));
  expect(await idle.tell()).toEqual(all);
  await idle.end();
});

test('over its bound the server hangs up on the newest, and answers the others', async () => {
  const engine = await ownEngine({}, expectBooksBalance);
  const options = { host: '127.0.0.1', port: 0, connectionsMax: 5 };
  const server = await listen(appOn(engine), options);
  onTestFinished(() => server.close());
  const get = 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n';
  const kept = Array.from({ length: 5 }, () => new RawClient(server.port).send(get));
  const answered = (client: RawClient) =>
    eventually(() => expect(client.answer).toMatch(/^HTTP\/1.1 200 /));
  for (const client of kept) await answered(client);
  expect(await new RawClient(server.port).send(get).closed).toBe('');
  kept[0]?.socket.destroy();
  await eventually(async () => {
    const next = new RawClient(server.port).send(get);
    await Promise.race([next.closed, answered(next)]);
    expect(next.answer).toMatch(/^HTTP\/1.1 200 /);
  });
  expect(connectionsMax()).toBeGreaterThan(0);
  expect(connectionsMax()).toBeLessThanOrEqual(50_000);
});
