import type { Counters, ProductRules } from '../../domain/product.ts';
import { formatRecord, type ReservationRecord } from '../../domain/reservation.ts';
import { bindScript } from '../script.ts';
import { word } from './common.ts';

/** A product with its rules and counters. */
export interface LoadedProduct {
  id: number;
  rulesVersion: number;
  rules: ProductRules;
  counters: Counters;
}

/** A part of a lane as MySQL has it. */
export interface LanePart {
  products?: LoadedProduct[];
  /** Held or pending ones. */
  reservations?: { id: string; record: ReservationRecord }[];
  /** Units that count towards a limit. */
  buyers?: { productId: number; buyer: string; units: number }[];
  /** First effects under a key, and how long they are still remembered. */
  keys?: { operation: 'hold' | 'order' | 'adj'; key: string; value: string; ttlMs: number }[];
}

/**
 * A product's hash as field, value, field, value. Absent fields mean no limit, and of `extend_ms` that
 * holds cannot be extended.
 */
export function productFields({ rulesVersion, rules, counters }: LoadedProduct): string[] {
  const { total, available, held, pending, sold } = counters;
  const fields = {
    name: rules.name,
    total,
    available,
    held,
    pending,
    sold,
    rules_version: rulesVersion,
    status: rules.status,
    starts_at_ms: rules.startsAtMs,
    ends_at_ms: rules.endsAtMs,
    hold_ttl_ms: rules.holdTtlMs,
    pay_ttl_ms: rules.payTtlMs,
    max_per_hold: rules.maxPerHold,
    max_per_buyer: rules.maxPerBuyer,
    price_minor: rules.priceMinor,
    currency: rules.currency,
    extend_ms: rules.extendMs || null,
  };
  return Object.entries(fields).flatMap(([name, value]) =>
    value === null ? [] : [name, String(value)],
  );
}

// All values as text: cjson would round large numbers.
export const loadLaneScript = bindScript({
  name: 'load_lane',
  args: (c: { epoch: number; run: string } & LanePart) => [
    c.epoch,
    c.run,
    JSON.stringify((c.products ?? []).map((it) => [String(it.id), productFields(it)])),
    JSON.stringify((c.reservations ?? []).map(({ id, record }) => [id, formatRecord(record)])),
    JSON.stringify(
      (c.buyers ?? []).map(({ productId, buyer, units }) => [
        String(productId),
        buyer,
        String(units),
      ]),
    ),
    JSON.stringify(
      (c.keys ?? []).map(({ operation, key, value, ttlMs }) => [
        operation,
        key,
        value,
        String(ttlMs),
      ]),
    ),
  ],
  reply: (values) => word<'stale' | 'loaded'>(values),
});
