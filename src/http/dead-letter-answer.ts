import { z } from '@hono/zod-openapi';
import { formatLetterId, type ReplayOutcome, type StoredLetter } from '../domain/dead-letters.ts';
import { holdId } from '../domain/ids.ts';
import type { ReservationEvent, Transition } from '../domain/journal.ts';
import { formatMoney } from '../domain/money.ts';
import {
  countAnswer,
  isoTime,
  isoTimeOrNull,
  momentAnswer,
  productIdAnswer,
  textAnswer,
} from './fields.ts';

const HOLD_ID = 'hold_01m822hvg9e008vyg0m5x19ams';

const unitsAnswer = z
  .object({
    product_id: productIdAnswer,
    total: countAnswer('Units more in all, or fewer where negative'),
    available: countAnswer('Units more available, or fewer where negative', 2),
    held: countAnswer('Units more in holds, or fewer where negative', -2),
    pending: countAnswer('Units more in unpaid orders, or fewer where negative'),
    sold: countAnswer('Units more sold, or fewer where negative'),
  })
  .openapi({ description: 'What it did to the counters of a product: they have moved' });

export const LETTER_ID = '0.1-4711.0';

const letterIdField = textAnswer(
  '`<lane>.<epoch>-<sequence>.<ordinal>`: where it stood in the journal',
  LETTER_ID,
);

/** A dead letter as the shop's own people see it, over HTTP and with `--json`. */
export const deadLetterAnswer = z
  .object({
    id: letterIdField,
    at: momentAnswer('When it happened'),
    kind: z
      .enum(['reservation', 'outcome', 'stock', 'rules', 'unreadable'])
      .openapi({ description: 'What kind of transition it is' }),
    hold_id: textAnswer('Hold whose later transitions wait, too', HOLD_ID).nullable(),
    reason: textAnswer('Why no row took it', 'there is no product 1'),
    units: z.array(unitsAnswer).openapi({ description: 'For each product it has moved units of' }),
    transition: z.record(z.string(), z.unknown()).openapi({
      description: 'As the journal has it; its fields go by `kind`',
      example: { product_id: 1, delta: 50, key: 'delivery-2026-07-01' },
    }),
    replayed_at: momentAnswer('When its rows were written after all').nullable(),
  })
  .openapi('DeadLetter');

export const replayAnswer = z
  .object({
    replayed: z.array(letterIdField).openapi({
      description: 'All of its reservation, in the order of the journal; none the second time',
    }),
    made_again: z.array(textAnswer('Id of a hold or an order', HOLD_ID)).openapi({
      description: 'Holds and orders whose rows were gone, and that the journal proves',
    }),
    missing_in_redis: z.array(textAnswer('Id of a hold', HOLD_ID)).openapi({
      description:
        'Live holds that a rebuild has left out of Redis meanwhile: a reconciliation with `fix` ' +
        'puts them back',
    }),
  })
  .openapi('Replay');

export type DeadLetterJson = z.output<typeof deadLetterAnswer>;
export type ReplayJson = z.output<typeof replayAnswer>;

const reservationJson = (event: ReservationEvent): Record<string, unknown> => ({
  from: event.from,
  to: event.to,
  version: event.version,
  items: event.items.map(({ productId, qty }) => ({ product_id: productId, qty })),
  buyer: event.buyer || null,
  amount: event.currency ? formatMoney(event.amountMinor, event.currency) : null,
  currency: event.currency || null,
  deadline: isoTime(event.deadlineMs),
  reference: event.reference || null,
  idempotency_key: event.key || null,
});

function transitionJson({ kind, event }: Transition): Record<string, unknown> {
  switch (kind) {
    case 'reservation':
      return reservationJson(event);
    case 'outcome':
      return {
        reference: event.reference,
        outcome: event.outcome,
        order_status: event.orderState,
      };
    case 'stock':
      return { product_id: event.productId, delta: event.delta, key: event.key };
    case 'rules':
      return { product_id: event.productId, version: event.version };
    case 'unreadable':
      return { field: event.field, value: event.value };
  }
}

/** A hold's id where there is one; what could not be read may name anything. */
const holdIdOf = (reservation: string): string | null =>
  reservation === '' ? null : holdId(reservation);

// MySQL sorts the fields of what it stores as JSON.
const unitsJson = ([productId, delta]: StoredLetter['units'][number]) => {
  const { total, available, held, pending, sold } = delta;
  return { product_id: productId, total, available, held, pending, sold };
};

export const deadLetterJson = (letter: StoredLetter): DeadLetterJson => ({
  id: formatLetterId(letter.id),
  at: isoTime(letter.atMs),
  kind: letter.kind,
  hold_id: holdIdOf(letter.reservation),
  reason: letter.reason,
  units: letter.units.map(unitsJson),
  transition: transitionJson(letter.transition),
  replayed_at: isoTimeOrNull(letter.replayedAtMs),
});

/** What was written, of all that was to be replayed together. */
export function replayJson(
  outcome: Extract<ReplayOutcome, { status: 'replayed' | 'already_replayed' }>,
): ReplayJson {
  if (outcome.status === 'already_replayed') {
    return { replayed: [], made_again: [], missing_in_redis: [] };
  }
  const { letters, madeAgain, isMissingInRedis } = outcome;
  const hold = holdIdOf(letters[0]?.reservation ?? '');
  return {
    replayed: letters.map(({ id }) => formatLetterId(id)),
    made_again: madeAgain,
    missing_in_redis: isMissingInRedis && hold ? [hold] : [],
  };
}
