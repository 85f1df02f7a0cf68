import type { History } from '../history.ts';
import type { Findings } from './findings.ts';
import type { FinalState, Rules } from './state.ts';
import { anyOk, earliestInvoke, oks, orderAcknowledged, type Story } from './stories.ts';

interface Interval {
  fromMs: number;
  toMs: number;
}

/**
 * When the units of a hold were certainly taken, by what its buyer was told and did. Never longer
 * than that: whatever may have ended it ends it here.
 */
export function certainlyTaken(story: Story, endedAtMs: number | null): Interval[] {
  const capMs = endedAtMs ?? Number.POSITIVE_INFINITY;
  const { grantedAtMs: fromMs, expiresAtMs } = story;
  const payBy = Date.parse(orderAcknowledged(story)?.body.pay_by ?? '');
  // Without a word about the order the hold counts, as long as nobody did anything with it.
  const ends = payBy
    ? [payBy, earliestInvoke([...story.cancels, ...story.payments])]
    : [expiresAtMs, capMs, earliestInvoke([...story.releases, ...story.orders])];
  const intervals: Interval[] = [{ fromMs, toMs: Math.min(...ends) }];
  const paid = story.payments
    .flatMap(({ attempts }) => oks(attempts))
    .filter(({ body }) => body.order_status === 'paid')
    .map(({ endedAtMs: at }) => at);
  if (paid.length > 0) {
    const fromMs = Math.max(Math.min(...paid), intervals[0]?.toMs ?? 0);
    intervals.push({ fromMs, toMs: Number.POSITIVE_INFINITY });
  }
  return intervals.filter(({ fromMs, toMs }) => fromMs < toMs);
}

interface Change {
  atMs: number;
  taken: number;
  total: number;
}

// Added units count from the moment somebody asked for them, taken ones from the answer on.
function restocksOf(history: History, productId: number): Change[] {
  const byKey = new Map<string, Change>();
  for (const it of history.of('restock')) {
    const { product_id, delta, key } = it.request;
    if (product_id !== productId) continue;
    const told = anyOk([it])?.endedAtMs ?? Number.POSITIVE_INFINITY;
    const atMs = delta > 0 ? earliestInvoke([it]) : told;
    const known = byKey.get(key)?.atMs ?? Number.POSITIVE_INFINITY;
    byKey.set(key, { atMs: Math.min(atMs, known), taken: 0, total: delta });
  }
  return [...byKey.values()].filter(({ atMs }) => atMs < Number.POSITIVE_INFINITY);
}

/** Units that acknowledged holds and orders had at one moment beyond what there was to sell (I2). */
export function checkOversold(
  history: History,
  stories: ReadonlyMap<string, Story>,
  state: FinalState,
  rules: Rules,
  findings: Findings,
): void {
  const changes = new Map<number, Change[]>();
  for (const story of stories.values()) {
    const row = state.holds.get(story.holdId);
    // Lost with Redis, and counted as such: its units went to others.
    if (!row && rules.redisLosesData) continue;
    const capMs =
      rules.redisLosesData && row?.state !== 'ordered' ? (row?.endedAtMs ?? null) : null;
    for (const { fromMs, toMs } of certainlyTaken(story, capMs)) {
      for (const { product_id, qty } of story.items) {
        const list = changes.get(product_id) ?? [];
        list.push({ atMs: fromMs, taken: qty, total: 0 }, { atMs: toMs, taken: -qty, total: 0 });
        changes.set(product_id, list);
      }
    }
  }
  for (const [productId, list] of changes) {
    const initial = state.books.get(productId)?.initialStock ?? 0;
    const worst = worstExcess(initial, [...list, ...restocksOf(history, productId)]);
    if (worst.units > 0) {
      const at = new Date(worst.atMs).toISOString();
      const text = `product ${productId}: ${worst.units} unit(s) more than there were, at ${at}`;
      findings.add('oversold', text, worst.units);
    }
  }
}

function worstExcess(initial: number, changes: Change[]): { units: number; atMs: number } {
  // Of the same moment, what makes room comes first.
  const room = ({ taken, total }: Change) => total - taken;
  changes.sort((a, b) => a.atMs - b.atMs || room(b) - room(a));
  let [taken, total] = [0, initial];
  let worst = { units: 0, atMs: 0 };
  for (const change of changes) {
    taken += change.taken;
    total += change.total;
    if (taken - total > worst.units) worst = { units: taken - total, atMs: change.atMs };
  }
  return worst;
}
