import { type Attempt, firstInvoke, type History, type OperationOf } from '../history.ts';
import { orderOf } from './state.ts';

/** Everything that clients did with one hold, by what they were told. */
export interface Story {
  holdId: string;
  /** The hold that was granted; a repeat with the same key may have been told, too. */
  holds: OperationOf<'hold'>[];
  grantedAtMs: number;
  /** The last deadline that anybody was told. */
  expiresAtMs: number;
  items: { product_id: number; qty: number }[];
  extensions: OperationOf<'extend'>[];
  releases: OperationOf<'release'>[];
  orders: OperationOf<'order'>[];
  cancels: OperationOf<'cancel'>[];
  payments: OperationOf<'pay'>[];
}

export const oks = (attempts: readonly Attempt[]): Attempt[] =>
  attempts.filter(({ outcome }) => outcome === 'ok');

export const anyOk = (operations: readonly { attempts: Attempt[] }[]): Attempt | undefined =>
  operations.flatMap(({ attempts }) => oks(attempts)).sort((a, b) => a.endedAtMs - b.endedAtMs)[0];

/** Stories of all acknowledged holds, by their id. */
export function storiesOf(history: History): Map<string, Story> {
  const stories = new Map<string, Story>();
  for (const hold of history.of('hold')) {
    for (const { body, endedAtMs } of oks(hold.attempts)) {
      const holdId = body.hold_id ?? '';
      const known = stories.get(holdId);
      if (known) {
        known.holds.push(hold);
        known.grantedAtMs = Math.min(known.grantedAtMs, endedAtMs);
        continue;
      }
      const expiresAtMs = Date.parse(body.expires_at ?? '');
      const ends = { extensions: [], releases: [], orders: [], cancels: [], payments: [] };
      const items = body.items ?? [];
      const holds = [hold];
      stories.set(holdId, { holdId, holds, grantedAtMs: endedAtMs, expiresAtMs, items, ...ends });
    }
  }
  const byOrder = new Map([...stories].map(([id, story]) => [orderOf(id), story]));
  for (const it of history.of('extend')) addExtension(stories.get(it.request.hold_id), it);
  for (const it of history.of('release')) stories.get(it.request.hold_id)?.releases.push(it);
  for (const it of history.of('order')) stories.get(it.request.hold_id)?.orders.push(it);
  for (const it of history.of('cancel')) byOrder.get(it.request.order_id)?.cancels.push(it);
  for (const it of history.of('pay')) byOrder.get(it.request.order_id)?.payments.push(it);
  return stories;
}

function addExtension(story: Story | undefined, it: OperationOf<'extend'>): void {
  if (!story) return;
  story.extensions.push(it);
  const told = oks(it.attempts).map(({ body }) => Date.parse(body.expires_at ?? ''));
  story.expiresAtMs = Math.max(story.expiresAtMs, ...told);
}

/** The first word that the order is made and durable: its own answer, or `hold_used` to another. */
export function orderAcknowledged({ orders, extensions, releases }: Story): Attempt | undefined {
  const used = [...orders, ...extensions, ...releases].flatMap(({ attempts }) =>
    attempts.filter(({ body }) => body.code === 'hold_used'),
  );
  const made = orders.flatMap(({ attempts }) => oks(attempts));
  return [...made, ...used].sort((a, b) => a.endedAtMs - b.endedAtMs)[0];
}

export const earliestInvoke = (operations: readonly { attempts: Attempt[] }[]): number =>
  Math.min(...operations.map((it) => firstInvoke(it as never)), Number.POSITIVE_INFINITY);
