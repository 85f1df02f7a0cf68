import { query } from '../db/client.ts';
import { isQuarantined } from '../db/dead-letters.ts';
import { readReceipt } from '../db/receipts.ts';
import type { Deadline } from '../domain/deadline.ts';
import { laneOf, type ReservationId } from '../domain/ids.ts';
import type { Money, PaymentStatus, ReceiptOutcome } from '../domain/outcomes.ts';
import type { ReservationState } from '../domain/reservation.ts';
import { Unavailable } from '../domain/unavailable.ts';
import { settleScript } from '../redis/bindings/settle.ts';
import { laneKey } from '../redis/keys.ts';
import type { CommittedBy } from '../writer/acks.ts';
import { withCommit } from './commit.ts';
import { withFacts } from './facts.ts';
import { unknownOrder } from './order.ts';
import type { EngineParts } from './parts.ts';

export interface SettleRequest {
  id: ReservationId;
  reference: string;
  payment: PaymentStatus;
  /** What was paid or refunded, where the event says so; it must be the order's amount. */
  money?: Money | undefined;
  /** Of a refund: the reference of the event whose money was due, and goes back. */
  due?: string | undefined;
  /** Of a refund: whether the units are to be sold again. */
  returnsUnits?: boolean | undefined;
  /** Whether it may have been asked before, in vain. */
  isRepeat?: boolean | undefined;
}

export type SettleOutcome =
  | { status: 'order_not_found' }
  /** A refund of what has not been paid: nothing is decided, and it may be asked again later. */
  | { status: 'not_paid' }
  /** The receipt's outcome as MySQL has it, and whether this very call made it. */
  | { status: 'settled'; outcome: ReceiptOutcome; orderState: ReservationState; first: boolean };

/** Lets a payment act on its order. Resolves once the receipt's outcome is committed in MySQL. */
export async function settle(
  parts: EngineParts,
  request: SettleRequest,
  deadline: Deadline,
): Promise<SettleOutcome> {
  const { link, acks, lag, database, ring } = parts;
  const { id, reference } = request;
  const lane = laneOf(id);
  if (lane >= parts.lanes) return { status: 'order_not_found' };
  lag.check(lane);
  const isWaiting = () => query(deadline, 'dead letters', isQuarantined(database.pool, lane, id));
  // Its outcome waits with what it follows; that of every further delivery would, too.
  if (request.isRepeat && (await isWaiting())) {
    throw new Unavailable('what happened to the order waits as a dead letter');
  }
  return withCommit(acks, async (commit) => {
    const reply = await withFacts(parts, lane, id, deadline, (facts) =>
      link.execute(lane, 'settle', deadline, (gate) => {
        commit.follow(gate.call);
        const command = { ...gate, ...request, facts };
        return settleScript.run(link.redis, laneKey(lane), command);
      }),
    );
    ring(lane);
    if (!reply || reply.status === 'not_ordered') return unknownOrder(parts, id, deadline);
    if (reply.status === 'not_paid') return { status: 'not_paid' };
    const receipt = async () => {
      const row = await query(deadline, 'receipt', readReceipt(database, reference));
      return row?.outcome ? { outcome: row.outcome, orderState: row.orderState } : undefined;
    };
    const decided = async () => (await receipt()) !== undefined;
    let by: CommittedBy = 'row';
    if (reply.status === 'duplicate') await acks.until(deadline, decided);
    else by = await commit.committed(deadline, decided);
    // Only one call can have changed the order; any other may stand behind an earlier outcome.
    if (reply.status === 'applied' && by === 'call') {
      return { status: 'settled', outcome: 'applied', orderState: reply.state, first: true };
    }
    const row = await receipt();
    const outcome = row?.outcome ?? 'ignored';
    const first = reply.status === outcome;
    return { status: 'settled', outcome, orderState: row?.orderState ?? reply.state, first };
  });
}
