import { z } from '@hono/zod-openapi';
import { formatLetterId, type ReplayOutcome, type StoredLetter } from '../domain/dead-letters.ts';
import { holdId } from '../domain/ids.ts';
import type { ReservationEvent, Transition } from '../domain/journal.ts';
import { formatMoney } from '../domain/money.ts';
import { isoTime, isoTimeOrNull, momentAnswer } from './fields.ts';

const unitsAnswer = z
  .object({
    product_id: z.int(),
    total: z.int(),
    available: z.int(),
    held: z.int(),
    pending: z.int(),
    sold: z.int(),
  })
  .openapi({ description: 'What it did to the counters of a product: they have moved' });

const letterIdField = z.string().openapi({
  description: '`<lane>.<epoch>-<sequence>.<ordinal>`: where it stood in the journal',
  example: '0.1-4711.0',
});

/** A dead letter as the shop's own people see it, over HTTP and with `--json`. */
export const deadLetterAnswer = z
  .object({
    id: letterIdField,
    at: momentAnswer,
    kind: z.enum(['reservation', 'outcome', 'stock', 'rules', 'unreadable']),
    hold_id: z.string().nullable().openapi({ description: 'Whose later transitions wait, too' }),
    reason: z.string().openapi({ description: 'Why no row took it' }),
    units: z.array(unitsAnswer),
    transition: z.record(z.string(), z.unknown()).openapi({ description: 'As the journal has it' }),
    replayed_at: momentAnswer.nullable(),
  })
  .openapi('DeadLetter');

export const replayAnswer = z
  .object({
    replayed: z.array(letterIdField).openapi({
      description: 'All of its reservation, in the order of the journal; none the second time',
    }),
    made_again: z.array(z.string()).openapi({
      description: 'Holds and orders whose rows were gone, and that the journal proves',
    }),
    missing_in_redis: z.array(z.string()).openapi({
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
