import { setTimeout as pause } from 'node:timers/promises';
import { answerOf } from './history.ts';
import type { Product, Sale } from './sale.ts';

const LOOK_EVERY_MS = 20;
/** Each asks another process, by chance. */
const IN_A_ROW = 4;

/** Never within the limit. */
export class NotRecovered extends Error {
  override readonly name = 'NotRecovered';
}

let probes = 0;

/** Whether a buyer who comes now gets a hold and an order of it, without a second try. */
export async function canBuy(sale: Sale, probe: Product): Promise<boolean> {
  probes += 1;
  const key = `probe-${probes}`;
  const items = [{ product_id: probe.id, qty: 1 }];
  const hold = await sale.ask('prober', { kind: 'hold', items, buyer: key, key }, 1);
  const holdId = answerOf(hold)?.body.hold_id;
  if (!holdId) return false;
  const order = await sale.ask('prober', { kind: 'order', hold_id: holdId, key }, 1);
  return answerOf(order)?.outcome === 'ok';
}

/** Milliseconds from now until holds and orders succeed again, and go on doing so. */
export async function timeToRecover(sale: Sale, probe: Product, limitMs: number): Promise<number> {
  const startedAt = performance.now();
  const elapsed = () => performance.now() - startedAt;
  let [inARow, sinceMs] = [0, 0];
  while (inARow < IN_A_ROW) {
    if (await canBuy(sale, probe)) {
      inARow += 1;
      if (inARow === 1) sinceMs = elapsed();
      continue;
    }
    inARow = 0;
    if (elapsed() > limitMs) {
      throw new NotRecovered(`no hold and order within ${limitMs / 1_000} s after the fault`);
    }
    await pause(LOOK_EVERY_MS);
  }
  return sinceMs;
}
