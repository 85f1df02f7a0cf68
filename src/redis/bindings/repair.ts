import { bindScript } from '../script.ts';
import { type Gate, type Word, word } from './common.ts';
import { type LoadedProduct, productFields } from './load-lane.ts';

/** Something that must be otherwise, while it still is as it was seen. '' for what is not there. */
export type Repair =
  | {
      kind: 'reservation';
      id: string;
      seen: string;
      record: string;
      remove: string;
      add: string;
      deadlineMs: number;
    }
  | { kind: 'buyer'; productId: number; buyer: string; seen: string; units: string }
  | { kind: 'product'; product: LoadedProduct };

export type RepairReply =
  | Word<'closed' | 'stale' | 'late'>
  | { status: 'repaired'; nowMs: number; done: boolean[] };

// All values as text: cjson would round large numbers.
function listOf(repair: Repair): unknown[] {
  switch (repair.kind) {
    case 'reservation': {
      const { id, seen, record, remove, add, deadlineMs } = repair;
      return ['reservation', id, seen, record, remove, add, String(deadlineMs)];
    }
    case 'buyer': {
      const { productId, buyer, seen, units } = repair;
      return ['buyer', String(productId), buyer, seen, units];
    }
    case 'product':
      return ['product', String(repair.product.id), productFields(repair.product)];
  }
}

export const repairScript = bindScript({
  name: 'repair',
  args: (c: Omit<Gate, 'call'> & { lateMs: number; repairs: readonly Repair[] }) => [
    c.epoch,
    c.run,
    c.lateMs,
    JSON.stringify(c.repairs.map(listOf)),
  ],
  reply: (values): RepairReply => {
    const { status, nowMs } = word<RepairReply['status']>(values);
    if (status !== 'repaired') return { status, nowMs };
    return { status, nowMs, done: values.slice(2).map((done) => Number(done) === 1) };
  },
});
