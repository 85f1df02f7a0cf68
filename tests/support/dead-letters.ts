import { expect } from 'vitest';
import type { LetterId, ReplayOutcome } from '../../src/domain/dead-letters.ts';
import { orderId } from '../../src/domain/ids.ts';
import { laneKey, outboxKey } from '../../src/redis/keys.ts';
import { replayDeadLetters } from '../../src/writer/replay.ts';
import { held } from './buying.ts';
import { seconds, type TestEngine } from './engine.ts';
import { undrainedEngine } from './undrained.ts';
import { eventually } from './wait.ts';

const nothing = async () => undefined;

/** A row that no other may take the place of: an insert of this hold will be refused. */
export const block = ({ sql }: TestEngine, id: string) =>
  sql("INSERT INTO holds (id, lane, state, version) VALUES (?, 9, 'expired', 9)", [`hold_${id}`]);
export const unblock = ({ sql }: TestEngine) => sql('DELETE FROM holds WHERE lane = 9');
/** Dead letters that wait, in the order of the journal. */
export const openLetters = async ({ sql }: TestEngine) =>
  (await sql(
    'SELECT lane, epoch, sequence, ordinal FROM dead_letters WHERE replayed_at IS NULL' +
      ' ORDER BY lane, epoch, sequence, ordinal',
  )) as unknown[] as LetterId[];
/** How many the lane's row says there are. */
export const countOf = async ({ sql }: TestEngine) =>
  (await sql('SELECT dead_letters FROM lanes'))[0]?.dead_letters;

/** Replays what the first open dead letter waits with. */
export async function replayFirst(t: TestEngine): Promise<ReplayOutcome> {
  const [id] = await openLetters(t);
  if (!id) throw new Error('no dead letter is open');
  return replayDeadLetters(t.database, id, true);
}

/** A hold that is a dead letter, made into an order and paid: what waits behind it. */
export async function blockedPurchase() {
  const { t, product } = await undrainedEngine(nothing);
  const { id } = await held(t, product, { qty: 2, buyer: 'ann', key: 'once' });
  await block(t, id);
  await t.drain(0);
  // Nobody is told that it is durable, since it is not; Redis has made the order all the same.
  const refused = expect(t.engine.order(id, 'order', seconds(1))).rejects.toThrow();
  while ((await t.drain(0)) === 0);
  await refused;
  const emitted = (await t.redis.hget(laneKey(0), 'position')) ?? '';
  const event = { orderId: orderId(id), reference: 'pay-1', status: 'success' } as const;
  const settling = t.inbox.receive(event, seconds(1)).catch(() => undefined);
  await eventually(async () => {
    expect(await t.redis.hget(laneKey(0), 'position')).not.toBe(emitted);
  });
  await t.drain(0);
  await settling;
  return { t, product, id };
}

/** Appends an entry as a script would, with fields of a test's choice. */
export async function append(t: TestEngine, fields: string[], lane: Record<string, string> = {}) {
  const names = ['tail', 'position', 'emitted'] as const;
  const [tail = '', position = '', emitted = ''] = await t.redis.hmget(laneKey(0), ...names);
  const next = `1-${Number(position?.split('-')[1]) + 1}`;
  const count = String(Number(emitted) + 1);
  const chain = ['call', next, 'prev', tail ?? '', 'at_ms', String(Date.now()), 'emitted', count];
  await t.redis.xadd(outboxKey(0), next, ...chain, ...fields);
  await t.redis.hset(laneKey(0), { tail: next, position: next, emitted: count, ...lane });
}
