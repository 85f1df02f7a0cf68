import { setTimeout as pause } from 'node:timers/promises';
import { answerOf, type OperationOf } from '../history.ts';
import { ALL_ROLES } from '../world.ts';
import { NOTHING_LOST, type Row, type Stage } from './row.ts';

const HOLDS = 100_000;
const HOLDS_SHORT = 2_000;
const AT_ONCE = 120;
const BACK_WITHIN_MS = 3_000;
const BACK_WITHIN_SHORT_MS = 1_000;
const WARM_UP = 1_000;
/** Left over when all are held, so that none is due before. */
const SPARE_MS = 4_000;
const LIMIT_MS = 60_000;
/** A change of the time to live takes its time, and the deadlines of that time are a second off. */
const MOSTLY = 0.75;

/** Takes one hold after the other until this many have been asked for. */
async function takeHolds(stage: Stage, productId: number, until: number, taken: { count: number }) {
  const items = [{ product_id: productId, qty: 1 }];
  const runner = async () => {
    while (taken.count < until) {
      taken.count += 1;
      await stage.sale.ask('buyer', { kind: 'hold', items, buyer: `due-${taken.count}` }, 1);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, runner));
}

/** Makes new holds end at one moment, however long it takes to make them all. */
function keepDeadline(stage: Stage, productId: number, dueAtMs: number): { stop: () => void } {
  let stopped = false;
  const keep = async () => {
    while (!stopped) {
      const leftMs = dueAtMs - Date.now();
      const hold_ttl_seconds = Math.max(1, Math.round(leftMs / 1_000));
      await stage.sale.admin('PATCH', `/api/admin/products/${productId}`, { hold_ttl_seconds });
      // Until the whole number of seconds changes.
      await pause((dueAtMs - Date.now() + 500) % 1_000);
    }
  };
  void keep().catch((error: Error) => stage.broken(error.message));
  return {
    stop: () => {
      stopped = true;
    },
  };
}

function deadlinesOf(holds: readonly OperationOf<'hold'>[]): number[] {
  const texts = holds.flatMap((hold) => answerOf(hold)?.body.expires_at ?? []);
  return texts.map((text) => Date.parse(text)).sort((a, b) => a - b);
}

async function untilBack({ world: { control } }: Stage, productId: number): Promise<number> {
  const giveUpAt = Date.now() + LIMIT_MS;
  while (Number(await control.hget(`hf:{0}:product:${productId}`, 'held')) > 0) {
    if (Date.now() > giveUpAt) throw new Error('the units did not come back');
    await pause(5);
  }
  return Date.now();
}

async function strike(stage: Stage): Promise<void> {
  const { sale, isShort, note, broken } = stage;
  const count = isShort ? HOLDS_SHORT : HOLDS;
  const { id } = await sale.create('due', count * 2, { hold_ttl_seconds: 3_600 });
  const warm = await sale.create('warm', WARM_UP);
  const startedAt = performance.now();
  await takeHolds(stage, warm.id, WARM_UP, { count: 0 });
  const perHoldMs = (performance.now() - startedAt) / WARM_UP;
  const dueAtMs = Date.now() + Math.ceil(count * perHoldMs * 1.2) + SPARE_MS;
  const deadline = keepDeadline(stage, id, dueAtMs);
  await pause(500);
  await takeHolds(stage, id, count, { count: 0 });
  deadline.stop();
  const holds = sale.history
    .of('hold')
    .filter(({ request }) => request.items[0]?.product_id === id);
  const deadlines = deadlinesOf(holds);
  const [first = 0, last = 0] = [deadlines[0], deadlines.at(-1)];
  const busiest = busiestSecond(deadlines);
  const backAtMs = await untilBack(stage, id);
  stage.took(backAtMs - last);
  const bound = isShort ? BACK_WITHIN_SHORT_MS : BACK_WITHIN_MS;
  note(
    `${deadlines.length} holds due within ${last - first} ms, ${busiest} of them in one second; ` +
      `all units back ${backAtMs - last} ms after the last deadline`,
  );
  if (backAtMs - last > bound) broken(`units came back ${backAtMs - last} ms after the deadline`);
  if (busiest < count * MOSTLY) broken(`only ${busiest} of ${count} were due in one second`);
}

function busiestSecond(sorted: readonly number[]): number {
  let [from, most] = [0, 0];
  for (const [to, at] of sorted.entries()) {
    while (at - (sorted[from] ?? at) >= 1_000) from += 1;
    most = Math.max(most, to - from + 1);
  }
  return most;
}

export const dueAtOnce: Row = {
  name: 'due-at-once',
  what: '100,000 holds are due in the same second',
  expected: 'bounded work for each script; all units are back within 3 s',
  rules: { ...NOTHING_LOST, backWithinMs: BACK_WITHIN_MS },
  world: { processes: [ALL_ROLES, ALL_ROLES] },
  crowd: false,
  strike,
};
