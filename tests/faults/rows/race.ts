import { setTimeout as pause } from 'node:timers/promises';
import { answerOf, type Operation } from '../history.ts';
import { whole } from '../random.ts';
import { ALL_ROLES } from '../world.ts';
import { NOTHING_LOST, type Row, type Stage } from './row.ts';

const RACES = 10_000;
const RACES_SHORT = 300;
const AT_ONCE = 125;
const TTL_SECONDS = 1;
/** So long before the deadline until so long behind it, so that each of the three can win. */
const BEFORE_MS = 80;
const BEHIND_MS = 10;

const isOk = (operation: Operation): boolean => answerOf(operation)?.outcome === 'ok';

/** Order, release and expiry of one hold within the same few milliseconds; says who won. */
async function race({ sale, random }: Stage, productId: number, number: number): Promise<string> {
  const items = [{ product_id: productId, qty: 1 }];
  const name = `race-${number}`;
  const hold = await sale.ask(name, { kind: 'hold', items, buyer: name, key: name });
  const { hold_id = '', expires_at = '' } = answerOf(hold)?.body ?? {};
  if (!hold_id) return 'no hold';
  const deadlineMs = Date.parse(expires_at);
  const around = async (request: Parameters<typeof sale.ask>[1]) => {
    await pause(Math.max(0, deadlineMs + whole(random, -BEFORE_MS, BEHIND_MS) - Date.now()));
    return sale.ask(name, request);
  };
  const [order, release] = await Promise.all([
    around({ kind: 'order', hold_id, key: name }),
    around({ kind: 'release', hold_id }),
  ]);
  if (isOk(order) && isOk(release)) return 'both';
  if (isOk(order)) return 'ordered';
  return isOk(release) ? 'released' : 'expired';
}

export const raceOnOneHold: Row = {
  name: 'race',
  what: 'order, release and expiry of one hold within 90 ms, 10,000 times',
  expected: 'one winner each time',
  rules: NOTHING_LOST,
  world: { processes: [ALL_ROLES, ALL_ROLES] },
  crowd: false,
  strike: async (stage) => {
    const { sale, isShort, broken, note } = stage;
    const more = { hold_ttl_seconds: TTL_SECONDS };
    const { id } = await sale.create('raced', 1_000_000, more);
    const winners: Record<string, number> = {};
    let left = isShort ? RACES_SHORT : RACES;
    const runner = async () => {
      while (left > 0) {
        left -= 1;
        const winner = await race(stage, id, left);
        winners[winner] = (winners[winner] ?? 0) + 1;
      }
    };
    // Each spends most of its time waiting for a deadline.
    await Promise.all(Array.from({ length: AT_ONCE * 2 }, runner));
    note(`winners: ${JSON.stringify(winners)}`);
    for (const winner of ['ordered', 'released', 'expired']) {
      if (!winners[winner]) broken(`nothing was ever ${winner}: there was no race`);
    }
  },
};
