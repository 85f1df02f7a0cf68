import { type History, outcomeOf } from '../history.ts';
import { checkBooks } from './books.ts';
import { Findings } from './findings.ts';
import { checkHoldKeys, checkHoldRows, checkHolds } from './holds.ts';
import { checkOrderReads, checkOrderRows, checkOrders } from './orders.ts';
import { checkOversold } from './oversold.ts';
import { checkPayments, checkRestocks } from './payments.ts';
import type { FinalState, Rules } from './state.ts';
import { storiesOf } from './stories.ts';

/** What a run came to. */
export interface Verdict {
  operations: number;
  acknowledged: number;
  refused: number;
  unknown: number;
  findings: Findings;
}

/** Refusals that this crowd can meet; any other says something wrong about what it asked. */
const EXPECTED_REFUSALS = new Set([
  ...['sold_out', 'buyer_limit', 'hold_not_found', 'hold_used', 'hold_expired', 'hold_released'],
  ...['order_not_found', 'order_paid', 'order_expired', 'reference_conflict'],
  ...['insufficient_available', 'extension_not_allowed'],
]);

function checkAnswers(history: History, findings: Findings): void {
  for (const { request, attempts } of history.operations) {
    for (const { status, outcome, body, endedAtMs } of attempts) {
      if (outcome === 'refused' && !EXPECTED_REFUSALS.has(body.code ?? '')) {
        const at = new Date(endedAtMs).toISOString();
        const what = `${request.kind} was refused: ${status} ${body.code}, ${body.detail}`;
        findings.add('broken', `${what} (${at})`);
      }
      if (status >= 500 && status !== 503) {
        findings.add('broken', `${request.kind} was answered ${status}`);
      }
    }
  }
}

/**
 * Decides from the history and the final state alone. An operation whose outcome nobody was told
 * counts as neither done nor refused; whatever it did, the books must be right.
 */
export function check(history: History, state: FinalState, rules: Rules): Verdict {
  const findings = new Findings();
  const stories = storiesOf(history);
  checkAnswers(history, findings);
  checkHolds(stories, state, rules, findings);
  checkHoldRows(state, rules, findings);
  checkHoldKeys(history, state, rules, findings);
  checkOrders(history, state, findings);
  checkOrderReads(history, findings);
  checkOrderRows(state, rules, findings);
  checkPayments(history, state, findings);
  checkRestocks(history, state, findings);
  checkBooks(state, findings);
  if (!rules.clockJumps) checkOversold(history, stories, state, rules, findings);
  const count = (outcome: string) =>
    history.operations.filter((it) => outcomeOf(it) === outcome).length;
  return {
    operations: history.operations.length,
    acknowledged: count('ok'),
    refused: count('refused'),
    unknown: count('unknown'),
    findings,
  };
}
