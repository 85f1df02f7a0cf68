import type { Attempt, History, OperationOf } from '../history.ts';
import type { Findings } from './findings.ts';
import type { FinalState } from './state.ts';
import { oks } from './stories.ts';

/** What the first event of a reference came to, by an answer to any of them. */
const firstOutcome = ({ body }: Attempt): string | undefined =>
  body.status === 'duplicate' ? body.outcome : body.status;

/** One outcome for each reference, and it is there; a success never ends as nothing (I4, I5, I6). */
export function checkPayments(history: History, state: FinalState, findings: Findings): void {
  const byReference = new Map<string, OperationOf<'pay'>[]>();
  for (const it of history.of('pay')) {
    const { reference } = it.request;
    byReference.set(reference, [...(byReference.get(reference) ?? []), it]);
  }
  for (const [reference, events] of byReference) checkReference(reference, events, state, findings);
}

function checkReference(
  reference: string,
  events: readonly OperationOf<'pay'>[],
  state: FinalState,
  findings: Findings,
): void {
  const acknowledged = events.filter(({ attempts }) => oks(attempts).length > 0);
  const answers = acknowledged.flatMap(({ attempts }) => oks(attempts));
  const outcomes = new Set(answers.map(firstOutcome));
  if (outcomes.size > 1) {
    findings.add('duplicated', `${reference} was told as ${[...outcomes].join(' and as ')}`);
  }
  const meanings = new Set(acknowledged.map(({ request }) => request.status));
  if (meanings.size > 1) findings.add('duplicated', `${reference} succeeded and failed`);
  const row = state.receipts.get(reference);
  for (const outcome of outcomes) {
    if (row?.outcome !== outcome) {
      const found = row ? row.outcome : 'missing';
      findings.add('lost', `${reference} was acknowledged as ${outcome} and is ${found}`);
    }
  }
  if (row?.status === 'success' && row.outcome === 'ignored') {
    findings.add('lost', `the payment ${reference} ended as nothing`);
  }
  if (row && row.outcome === null && state.orders.has(row.orderId)) {
    findings.add('lost', `the payment ${reference} of ${row.orderId} never got an outcome`);
  }
  const paid = answers.find(({ body }) => body.order_status === 'paid');
  const order = paid && state.orders.get(paid.body.order_id ?? '');
  if (paid && order?.state !== 'paid' && order?.state !== 'refunded') {
    const found = order?.state ?? 'missing';
    findings.add('lost', `${paid.body.order_id} was acknowledged as paid and is ${found}`);
  }
}

/** Acknowledged changes of stock are placed, refused ones are not (I4). */
export function checkRestocks(history: History, state: FinalState, findings: Findings): void {
  const placedByKey = new Map<string, boolean>();
  for (const { request, attempts } of history.of('restock')) {
    const name = `${request.product_id}:${request.key}`;
    const row = state.adjustments.get(name);
    if (oks(attempts).length > 0) {
      placedByKey.set(name, true);
      if (!row?.isPlaced || row.delta !== request.delta) {
        findings.add('lost', `the acknowledged restock ${name} is ${row ? 'open' : 'missing'}`);
      }
    }
  }
  for (const { request, attempts } of history.of('restock')) {
    const name = `${request.product_id}:${request.key}`;
    // Only where each attempt was refused: an unknown one may have been the one that did it.
    const isRefused = attempts.every(({ outcome }) => outcome === 'refused');
    if (isRefused && !placedByKey.get(name) && state.adjustments.get(name)?.isPlaced) {
      findings.add('broken', `the refused restock ${name} was placed`);
    }
  }
}
