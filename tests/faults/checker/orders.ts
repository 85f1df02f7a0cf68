import { firstInvoke, type History, type Request } from '../history.ts';
import type { Findings } from './findings.ts';
import { type FinalState, holdOf, type Rules } from './state.ts';
import { oks } from './stories.ts';

/** What an acknowledged cancellation may have become: only a late payment changes it. */
const AFTER_CANCEL = ['cancelled', 'paid', 'refund_due', 'refunded'];

/** Acknowledged orders and cancellations are there. Nothing ever excuses their loss (I4, I5). */
export function checkOrders(history: History, state: FinalState, findings: Findings): void {
  const idsByKey = new Map<string, Set<string>>();
  for (const { request, attempts } of history.of('order')) {
    for (const { body, outcome } of attempts) {
      if (outcome !== 'ok' && body.code !== 'hold_used') continue;
      const orderId = body.order_id ?? '';
      const row = state.orders.get(orderId);
      if (!row) findings.add('lost', `acknowledged ${orderId} is in no row`);
      else if (row.holdId !== request.hold_id) {
        findings.add('broken', `${orderId} was acknowledged for ${request.hold_id}`);
      }
      if (request.key) {
        idsByKey.set(request.key, (idsByKey.get(request.key) ?? new Set()).add(orderId));
      }
    }
  }
  for (const [key, ids] of idsByKey) {
    if (ids.size < 2) continue;
    const text = `one Idempotency-Key, ${key}, made ${[...ids].join(' and ')}`;
    findings.add('duplicated', text, ids.size - 1);
  }
  for (const { request, attempts } of history.of('cancel')) {
    if (oks(attempts).length === 0) continue;
    const found = state.orders.get(request.order_id)?.state ?? 'missing';
    if (!AFTER_CANCEL.includes(found)) {
      findings.add('lost', `${request.order_id} was acknowledged as cancelled and is ${found}`);
    }
  }
}

/** Each order has ended, for one reason that is on record (I3). */
export function checkOrderRows(state: FinalState, rules: Rules, findings: Findings): void {
  const paidBy = new Map<string, string[]>();
  for (const [reference, { orderId, status, outcome }] of state.receipts) {
    if (status !== 'success' || outcome !== 'applied') continue;
    paidBy.set(orderId, [...(paidBy.get(orderId) ?? []), reference]);
  }
  for (const [id, row] of state.orders) {
    const references = paidBy.get(id) ?? [];
    if (row.state === 'pending') findings.add('broken', `${id} never ended`);
    if (!state.holds.has(holdOf(id))) findings.add('broken', `${id} has no hold`);
    if (references.length > 1) {
      findings.add('duplicated', `${id} was paid by ${references.join(' and by ')}`);
    }
    const isPaid = row.state === 'paid' || row.state === 'refunded';
    if (isPaid && !references.includes(row.reference ?? '')) {
      findings.add('broken', `${id} is paid by ${row.reference}, which no receipt confirms`);
    }
    if (!isPaid && references.length > 0) {
      findings.add('lost', `${id} is ${row.state}, and ${references[0]} had paid it`);
    }
    const lateMs = row.state === 'expired' ? (row.settledAtMs ?? 0) - row.payByMs : 0;
    if (lateMs < 0) findings.add('lost', `${id} expired before its payment window ended`);
    const { backWithinMs } = rules;
    if (backWithinMs !== undefined && lateMs > backWithinMs) {
      findings.add('broken', `units of ${id} came back ${lateMs} ms after its payment window`);
    }
  }
}

/** Whoever asks for an order after its acknowledgement finds it (I4). */
export function checkOrderReads(history: History, findings: Findings): void {
  const knownSinceMs = new Map<string, number>();
  for (const { attempts } of history.of('order')) {
    for (const { body, endedAtMs } of oks(attempts)) {
      const id = body.order_id ?? '';
      knownSinceMs.set(id, Math.min(endedAtMs, knownSinceMs.get(id) ?? Infinity));
    }
  }
  for (const operation of history.operations) {
    const { request, attempts } = operation;
    if (!attempts.some(({ body }) => body.code === 'order_not_found')) continue;
    const id = orderAskedFor(request);
    if (firstInvoke(operation) > (knownSinceMs.get(id) ?? Infinity)) {
      findings.add('lost', `${id} was acknowledged, and then not found by a ${request.kind}`);
    }
  }
}

function orderAskedFor(request: Request): string {
  if (request.kind === 'read') return request.path.split('/').at(-1) ?? '';
  return request.kind === 'pay' || request.kind === 'cancel' ? request.order_id : '';
}
