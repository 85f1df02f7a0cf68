import { expect, test } from 'vitest';
import { laneKey } from '../../src/redis/keys.ts';
import { drained, expectBooksBalance } from '../support/books.ts';
import { atOnce } from '../support/buying.ts';
import { privateServers } from '../support/private-servers.ts';
import { call } from '../support/process.ts';
import { eventually } from '../support/wait.ts';

const CAP = 150;
const ADMIN = { Authorization: 'Bearer a-token-of-the-tests' };

test('P8: with MySQL stopped holds go on up to the cap; on its return all drains, in order', async () => {
  const servers = await privateServers();
  const { url } = await servers.serve({ OUTBOX_MAX: String(CAP) });
  const product = { name: 'Lamp', price: '9.50', currency: 'USD', total_stock: 1_000 };
  const { body } = await call('POST', `${url}/api/admin/products`, product, ADMIN);
  const backlog = async () => {
    const [emitted, persisted] = await servers.redis.hmget(laneKey(0), 'emitted', 'persisted');
    return Number(emitted) - Number(persisted);
  };
  await eventually(async () => expect(await backlog()).toBe(0));
  const hold = () => call('POST', `${url}/api/holds`, { product_id: body.id, qty: 1 });

  servers.freeze('mysql');
  const answers = await atOnce(2 * CAP, hold);
  const held = answers.filter(({ status }) => status === 201).map((it) => it.body.hold_id);
  const refused = answers.filter(({ status }) => status !== 201);
  expect(held).toHaveLength(CAP);
  for (const { status, headers, ...it } of refused) {
    expect([status, it.body.code, headers.get('retry-after')]).toEqual([503, 'overloaded', '1']);
  }
  const [first, second] = held;
  expect(await call('DELETE', `${url}/api/holds/${first}`)).toMatchObject({ status: 200 });
  const order = () => call('POST', `${url}/api/orders`, { hold_id: second });
  expect(await order()).toMatchObject({ status: 503, body: { code: 'unavailable' } });
  expect((await hold()).body.code).toBe('overloaded');

  servers.thaw('mysql');
  await eventually(async () => expect(await hold()).toMatchObject({ status: 201 }));
  await eventually(async () => expect([201, 409]).toContain((await order()).status));
  await drained(servers);
  const rows = await servers.sql('SELECT id, state FROM holds');
  const states = new Map(rows.map(({ id, state }) => [id, state]));
  expect(held.filter((id) => !states.has(id))).toEqual([]);
  expect([states.get(first), states.get(second)]).toEqual(['released', 'ordered']);
  expect(states.size).toBe(CAP + 1);
  await expectBooksBalance(servers);
});
