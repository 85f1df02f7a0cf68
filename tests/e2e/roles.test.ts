import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type EmbeddedServers, startEmbeddedServers } from '../../src/embedded/servers.ts';
import { call, HoldfastProcess, holdfast } from '../support/process.ts';

let folder: string;
let servers: EmbeddedServers;
let environment: Record<string, string>;
const processes: HoldfastProcess[] = [];

async function serve(roles: string): Promise<{ url: string; serving: HoldfastProcess }> {
  const serving = new HoldfastProcess(['serve'], { ...environment, ROLES: roles });
  processes.push(serving);
  return { url: await serving.ready(), serving };
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-roles-'));
  servers = await startEmbeddedServers({ dataDir: folder, say: () => {} });
  const urls = { REDIS_URL: servers.redisUrl, MYSQL_URL: servers.mysqlUrl };
  environment = { ...urls, PORT: '0', LOG_LEVEL: 'warn' };
}, 60_000);

afterAll(async () => {
  await Promise.all(processes.map((serving) => serving.stop()));
  await servers.stop();
  await rm(folder, { recursive: true, force: true });
});

test('the API and the writer in two processes sell; each says how it is', async () => {
  const [api, writer] = await Promise.all([serve('api'), serve('writer,expiry,reconciler')]);
  const checks = { redis: 'ok', mysql: 'ok', lanes: 'ok' };
  for (const { url } of [api, writer]) {
    expect(await call('GET', `${url}/healthz`)).toMatchObject({ status: 200 });
    expect((await call('GET', `${url}/readyz`)).body).toEqual({ status: 'ok', checks });
    expect(await (await fetch(`${url}/metrics`)).text()).toContain(
      'holdfast_drifts_open{lane="0"} 0',
    );
  }
  expect(writer.serving.stdout).toContain(
    'writer, expiry, reconciler; only /healthz, /readyz and /metrics',
  );
  const elsewhere = await call('GET', `${writer.url}/api/products`);
  expect(elsewhere).toMatchObject({ status: 404, body: { code: 'not_found' } });

  const args = ['product', 'create', '--name', 'Lamp', '--price', '9.50', '--stock', '3', '--json'];
  const product = JSON.parse((await holdfast(args, environment)).stdout);
  const hold = await call('POST', `${api.url}/api/holds`, { product_id: product.id, qty: 1 });
  const order = await call('POST', `${api.url}/api/orders`, { hold_id: hold.body.hold_id });
  expect(order).toMatchObject({ status: 201, body: { status: 'pending' } });
  const { order_id } = order.body;
  const event = { order_id, reference: `ref-${order_id}`, status: 'success' };
  const payment = await call('POST', `${api.url}/api/payments/webhook`, event);
  expect(payment).toMatchObject({ status: 200, body: { order_status: 'paid' } });

  expect((await writer.serving.stop()).code).toBe(0);
  expect((await api.serving.stop()).code).toBe(0);
});
