import type { Deadline } from '../domain/deadline.ts';
import { laneOf, orderId, type ReservationId } from '../domain/ids.ts';
import type { ExtendOutcome } from '../domain/outcomes.ts';
import { parseItems } from '../domain/reservation.ts';
import { extendScript } from '../redis/bindings/extend.ts';
import { laneKey } from '../redis/keys.ts';
import { withFacts } from './facts.ts';
import type { EngineParts } from './parts.ts';

/** Gives a hold more time, once, as far as its products allow it. */
export async function extendHold(
  parts: EngineParts,
  id: ReservationId,
  deadline: Deadline,
): Promise<ExtendOutcome> {
  const { link, ring } = parts;
  const lane = laneOf(id);
  if (lane >= parts.lanes) return { status: 'hold_not_found' };
  const reply = await withFacts(parts, lane, id, deadline, (facts) =>
    link.execute(lane, 'extend', deadline, (gate) =>
      extendScript.run(link.redis, laneKey(lane), { ...gate, id, facts }),
    ),
  );
  ring(lane, false);
  switch (reply?.status) {
    case undefined:
      return { status: 'hold_not_found' };
    case 'used':
      return { status: 'hold_used', orderId: orderId(id) };
    case 'expired':
      return { status: 'hold_expired' };
    case 'released':
      return { status: 'hold_released' };
    case 'not_allowed':
      return { status: 'extension_not_allowed' };
    case 'extended': {
      const { amountMinor, currency, deadlineMs: expiresAtMs } = reply;
      const hold = { id, state: 'held' as const, items: parseItems(reply.items) };
      return { status: 'extended', hold: { ...hold, amountMinor, currency, expiresAtMs } };
    }
  }
}
