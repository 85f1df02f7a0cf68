import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  canonicalItems,
  formatDueMember,
  formatItems,
  formatRecord,
  parseItems,
  parseRecord,
  type ReservationRecord,
  type ReservationState,
} from '../../src/domain/reservation.ts';
import {
  adjustmentKey,
  buyersKey,
  dueKey,
  idempotencyKey,
  laneKey,
  laneOfReservationKey,
  outboxKey,
  productKey,
  reservationKey,
} from '../../src/redis/keys.ts';
import { openTestLane } from '../support/lane.ts';
import { expectConsistent, journalOf } from '../support/lane-audit.ts';
import { fragmentText } from '../support/lua.ts';
import { useRedis } from '../support/redis.ts';

// What is spelled in Lua and in TypeScript, spelled the same: the server runs the Lua side.
const redis = useRedis();

const STATES: ReservationState[] = [
  'held',
  'released',
  'expired',
  'pending',
  'paid',
  'cancelled',
  'refund_due',
  'refunded',
];

const count = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const items = fc
  .array(
    fc.record({
      productId: fc.integer({ min: 1, max: 2 ** 40 }),
      qty: fc.integer({ min: 1, max: 10_000 }),
    }),
    { minLength: 1, maxLength: 20 },
  )
  .map(canonicalItems);
const reference = fc.string({ unit: 'binary', maxLength: 200 });
const record: fc.Arbitrary<ReservationRecord> = fc.record({
  state: fc.constantFrom(...STATES),
  version: fc.integer({ min: 1, max: 1000 }),
  items,
  deadlineMs: count,
  amountMinor: count,
  currency: fc.constantFrom('USD', 'JPY', ''),
  buyer: fc.stringMatching(/^[A-Za-z0-9_.:@-]{0,64}$/),
  counted: fc.boolean(),
  ordered: fc.boolean(),
  reference,
});

test('every key of a lane', async () => {
  const script = `#!lua
    ${fragmentText('keys')}
    return {
      lane_key, due_key, outbox_key, product_key('42'), reservation_key('r1'), buyers_key('42'),
      idempotency_key('hold', 'k'), idempotency_key('order', 'k'), adjustment_key('42:a'),
    }`;
  for (const lane of [0, 7, 4095]) {
    expect(await redis.eval(script, 1, laneKey(lane))).toEqual([
      laneKey(lane),
      dueKey(lane),
      outboxKey(lane),
      productKey(lane, 42),
      reservationKey(lane, 'r1'),
      buyersKey(lane, 42),
      idempotencyKey(lane, 'hold', 'k'),
      idempotencyKey(lane, 'order', 'k'),
      adjustmentKey(lane, '42:a'),
    ]);
    expect(laneOfReservationKey(reservationKey(lane, 'r1'))).toBe(lane);
    expect(laneOfReservationKey(productKey(lane, 42))).toBeUndefined();
  }
});

test('a record that TypeScript wrote is read and written by Lua without a change', async () => {
  const script = `#!lua
    ${fragmentText('record')}
    local record = parse_record('r1', ARGV[1])
    local words = {}
    for index, item in ipairs(parse_items(record.items_text)) do
      words[index] = item.product_id .. ':' .. integer(item.qty)
    end
    return {
      format_record(record), due_member(record), table.concat(words, ','),
      is_live(record.state) and 1 or 0,
    }`;
  const property = fc.asyncProperty(record, async (value) => {
    const reply = await redis.eval(script, 1, laneKey(0), formatRecord(value));
    const isLive = value.state === 'held' || value.state === 'pending';
    expect(reply).toEqual([
      formatRecord(value),
      formatDueMember('r1', value),
      formatItems(value.items),
      isLive ? 1 : 0,
    ]);
  });
  await fc.assert(property, { numRuns: 300 });
});

test('a record that Lua wrote is the one that TypeScript reads', async () => {
  const script = `#!lua
    ${fragmentText('record')}
    return format_record({
      state = ARGV[1], version = tonumber(ARGV[2]), items_text = ARGV[3],
      deadline_ms = tonumber(ARGV[4]), amount_minor = tonumber(ARGV[5]), currency = ARGV[6],
      buyer = ARGV[7], counted = ARGV[8] == 'true', ordered = ARGV[9] == 'true',
      reference = ARGV[10],
    })`;
  const property = fc.asyncProperty(record, async (value) => {
    const fields = Object.values({ ...value, items: formatItems(value.items) }).map(String);
    const text = (await redis.eval(script, 1, laneKey(0), ...fields)) as string;
    expect(parseRecord(text)).toEqual(value);
    expect(parseItems(formatItems(value.items))).toEqual(value.items);
  });
  await fc.assert(property, { numRuns: 300 });
});

test('a record that neither wrote is refused by both', async () => {
  const script = `#!lua
    ${fragmentText('record')}
    return parse_record('r1', ARGV[1]).state`;
  for (const text of ['', 'held', 'held|1|42:1|1|1|USD|||']) {
    await expect(redis.eval(script, 1, laneKey(0), text)).rejects.toThrow('unreadable record');
    expect(() => parseRecord(text)).toThrow('unreadable record');
  }
});

test('the journal carries keys, fingerprints and references without a change', async () => {
  const lane = await openTestLane(redis, { cap: 1e6 });
  const product = await lane.product(1000);
  // Control characters end at the border: the tab separates fields of the journal.
  const printable = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 100 });
  const property = fc.asyncProperty(printable, async (word) => {
    const id = lane.request([]).id;
    await lane.hold(product, { id, key: `${id}${word}`, fingerprint: 'f' });
    await lane.order(id, { key: `${id}${word}` });
    await lane.settle(id, word);
    const [held, pending, paid] = (await journalOf(lane)).slice(-3);
    expect(held?.reservations).toMatchObject([{ key: `${id}${word}`, fingerprint: 'f' }]);
    expect(pending?.reservations).toMatchObject([{ key: `${id}${word}`, reference: '' }]);
    expect(paid?.reservations).toMatchObject([{ reference: word }]);
    expect(paid?.outcomes).toMatchObject([{ reference: word, id, outcome: 'applied' }]);
  });
  await fc.assert(property, { numRuns: 50 });
  await expectConsistent(lane);
});
