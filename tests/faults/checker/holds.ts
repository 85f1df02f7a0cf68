import { type History, type Item, lastEnd, type OperationOf } from '../history.ts';
import { EXTEND_MS } from '../world.ts';
import type { Findings } from './findings.ts';
import { type FinalState, type HoldRow, orderOf, type Rules } from './state.ts';
import { oks, orderAcknowledged, type Story } from './stories.ts';

const CLOCK_SLACK_MS = 5;
/** Between the client's end of a request and the moment that the row tells. */
const LATE_SLACK_MS = 100;

const textOf = (items: readonly Item[]): string =>
  [...items]
    .sort((a, b) => a.product_id - b.product_id)
    .map(({ product_id, qty }) => `${product_id}:${qty}`)
    .join(',');

/** Acknowledged holds are there, as they were told (I3, I4). */
export function checkHolds(
  stories: ReadonlyMap<string, Story>,
  state: FinalState,
  rules: Rules,
  findings: Findings,
): void {
  for (const story of stories.values()) {
    const row = state.holds.get(story.holdId);
    if (!row) {
      findings.loss(rules.redisLosesData, `acknowledged ${story.holdId} is in no row`);
      continue;
    }
    if (textOf(row.items) !== textOf(story.items)) {
      findings.add('broken', `${story.holdId} was told as ${textOf(story.items)} and has others`);
    }
    checkDeadline(story, row, rules, findings);
    checkEarlyEnd(story, row, rules, findings);
    checkRelease(story, row, rules, findings);
  }
}

function checkDeadline(story: Story, row: HoldRow, rules: Rules, findings: Findings): void {
  const { holdId, expiresAtMs, extensions } = story;
  if (row.expiresAtMs === expiresAtMs) return;
  const told = extensions.flatMap(({ attempts }) => oks(attempts));
  if (told.length > 0) {
    const text = `${holdId} was extended, and its row has another deadline`;
    findings.loss(rules.redisLosesData && row.expiresAtMs < expiresAtMs, text);
    return;
  }
  const mayBeExtended = extensions.some(({ attempts }) =>
    attempts.some(({ outcome }) => outcome === 'unknown'),
  );
  const byMs = row.expiresAtMs - expiresAtMs;
  if (mayBeExtended && byMs > 0 && byMs <= EXTEND_MS) return;
  findings.add('broken', `${holdId} was told another deadline than its row has`);
}

function checkEarlyEnd(story: Story, row: HoldRow, rules: Rules, findings: Findings): void {
  const { holdId, expiresAtMs } = story;
  if (row.state === 'expired' && (row.endedAtMs ?? 0) < row.expiresAtMs) {
    findings.loss(rules.redisLosesData, `${holdId} expired before its deadline`);
  }
  for (const { attempts } of [...story.orders, ...story.extensions, ...story.releases]) {
    for (const { body, endedAtMs } of attempts) {
      const isBefore = !rules.clockJumps && endedAtMs < expiresAtMs - CLOCK_SLACK_MS;
      const early = body.code === 'hold_expired' && isBefore;
      if (early || body.code === 'hold_not_found') {
        const text = `${holdId} was acknowledged and then ${body.code}`;
        findings.loss(rules.redisLosesData, text);
      }
      if (body.code === 'hold_released' && story.releases.length === 0) {
        findings.add('broken', `${holdId} was called released, and nobody released it`);
      }
    }
  }
}

function checkRelease(story: Story, row: HoldRow, rules: Rules, findings: Findings): void {
  const { holdId } = story;
  if (!story.releases.some(({ attempts }) => oks(attempts).length > 0)) return;
  if (orderAcknowledged(story)) {
    findings.add('duplicated', `${holdId} was acknowledged as released and as ordered`);
  } else if (row.state !== 'released') {
    // Held again until its deadline: the release itself was lost with Redis.
    const text = `${holdId} was acknowledged as released and is ${row.state}`;
    findings.loss(rules.redisLosesData && row.state === 'expired', text);
  }
}

/** Nothing is left open, and each hold that became an order has one (I3). */
export function checkHoldRows(state: FinalState, rules: Rules, findings: Findings): void {
  for (const [id, row] of state.holds) {
    const order = state.orders.get(orderOf(id));
    if (row.state === 'held') findings.add('broken', `${id} never ended`);
    if ((row.state === 'ordered') !== (order !== undefined)) {
      findings.add(
        'broken',
        `${id} is ${row.state}, and its order is ${order?.state ?? 'missing'}`,
      );
    }
    const { backWithinMs } = rules;
    const lateMs = row.state === 'expired' ? (row.endedAtMs ?? 0) - row.expiresAtMs : 0;
    if (backWithinMs !== undefined && lateMs > backWithinMs) {
      findings.add('broken', `units of ${id} came back ${lateMs} ms after its deadline`);
    }
  }
}

/** One Idempotency-Key, one hold (I5). */
export function checkHoldKeys(
  history: History,
  state: FinalState,
  rules: Rules,
  findings: Findings,
): void {
  const idsByKey = new Map<string, Set<string>>();
  const add = (key: string | undefined, id: string | undefined) => {
    if (!key || !id) return;
    const ids = idsByKey.get(key) ?? new Set();
    idsByKey.set(key, ids.add(id));
  };
  for (const { request, attempts } of history.of('hold')) {
    for (const { body } of oks(attempts)) add(request.key, body.hold_id);
  }
  for (const [id, { key }] of state.holds) add(key, id);
  for (const [key, ids] of idsByKey) {
    if (ids.size < 2) continue;
    const text = `one Idempotency-Key, ${key}, made ${[...ids].join(' and ')}`;
    const isForgotten = rules.redisLosesData && endedOneByOne([...ids], state);
    findings.add(isForgotten ? 'declared' : 'duplicated', text, ids.size - 1);
  }
  if (rules.noLateHolds) checkLateHolds(history, state, findings);
}

// A key is forgotten with the hold that it made: lost, or ended before the next one began.
function endedOneByOne(ids: readonly string[], state: FinalState): boolean {
  const rows = ids.flatMap((id) => state.holds.get(id) ?? []);
  rows.sort((a, b) => a.createdAtMs - b.createdAtMs);
  return rows.slice(1).every((row, index) => {
    const before = rows[index];
    const endedAtMs = before?.state === 'ordered' ? Infinity : (before?.endedAtMs ?? Infinity);
    return endedAtMs <= row.createdAtMs;
  });
}

function checkLateHolds(history: History, state: FinalState, findings: Findings): void {
  const byKey = new Map<string, OperationOf<'hold'>[]>();
  for (const it of history.of('hold')) {
    const name = it.request.key ?? it.request.buyer;
    byKey.set(name, [...(byKey.get(name) ?? []), it]);
  }
  for (const [id, row] of state.holds) {
    const askers = byKey.get(row.key || row.buyer) ?? [];
    const gaveUpAtMs = Math.max(...askers.map(lastEnd));
    if (askers.length > 0 && row.createdAtMs > gaveUpAtMs + LATE_SLACK_MS) {
      findings.add('broken', `${id} appeared after its caller had given up`);
    }
  }
}
