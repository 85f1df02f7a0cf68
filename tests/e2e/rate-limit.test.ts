import { expect, test, vi } from 'vitest';
import { LIMIT_PREFIX } from '../../src/redis/keys.ts';
import { drained, expectBooksBalance } from '../support/books.ts';
import { atOnce } from '../support/buying.ts';
import { privateServers } from '../support/private-servers.ts';
import { call } from '../support/process.ts';

// It has servers of its own, which take some seconds to start, and three processes.
vi.setConfig({ testTimeout: 60_000 });

const REQUESTS = 10;
const ADMIN = { Authorization: 'Bearer a-token-of-the-tests' };
/** Less than an unbounded wait for the limit and then one for the hold. */
const ANSWERED_MS = 3_000;

test('RATE_LIMIT holds for all processes, fails open, and is off unless set', async () => {
  const servers = await privateServers();
  const off = await servers.serve();
  const product = { name: 'Lamp', price: '9.50', currency: 'USD', total_stock: 1_000 };
  const { body } = await call('POST', `${off.url}/api/admin/products`, product, ADMIN);
  const holdAt = (url: string, client: string) =>
    call(
      'POST',
      `${url}/api/holds`,
      { product_id: body.id, qty: 1 },
      { 'X-Forwarded-For': client },
    );

  const unlimited = await atOnce(5 * REQUESTS, () => holdAt(off.url, '203.0.113.1'));
  expect(unlimited.filter(({ status }) => status !== 201)).toEqual([]);
  expect(await servers.redis.keys(`${LIMIT_PREFIX}*`)).toEqual([]);

  const limits = {
    ROLES: 'api',
    RATE_LIMIT: String(REQUESTS),
    RATE_LIMIT_SECONDS: '60',
    TRUSTED_PROXY_HOPS: '1',
  };
  const urls = [(await servers.serve(limits)).url, (await servers.serve(limits)).url];
  const hold = (client: string, index = 0) => holdAt(urls[index % urls.length] ?? '', client);
  const answers = await atOnce(5 * REQUESTS, (index) => hold('203.0.113.1', index));
  const refused = answers.filter(({ status }) => status === 429);
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(REQUESTS);
  expect(refused).toHaveLength(4 * REQUESTS);
  for (const { body: problem, headers } of refused) {
    expect(problem.code).toBe('rate_limited');
    expect(headers.get('retry-after')).toBe(String(Math.ceil(problem.retry_after_ms / 1000)));
  }
  expect((await hold('203.0.113.2')).status).toBe(201);

  servers.freeze('redis');
  const startedAt = performance.now();
  const frozen = await atOnce(3 * REQUESTS, (index) => hold('203.0.113.3', index));
  expect(performance.now() - startedAt).toBeLessThan(ANSWERED_MS);
  for (const { status, headers } of frozen) {
    expect([status, headers.get('retry-after')]).toEqual([503, '1']);
  }
  servers.thaw('redis');
  await drained(servers);
  await expectBooksBalance(servers);
});
