/** Units of one product in a hold or an order. */
export interface Item {
  productId: number;
  qty: number;
}

/** What a reservation is at one version; `held` and `pending` are the live ones. */
export type ReservationState =
  | 'held'
  | 'released'
  | 'expired'
  | 'pending'
  | 'paid'
  | 'cancelled'
  | 'refund_due'
  | 'refunded'
  /** Refunded, and no unit of it is sold. */
  | 'returned';

/** What an order can be. */
export type OrderState = Exclude<ReservationState, 'held' | 'released'>;

/** The Redis record behind a hold and its order. lua/include/record.lua spells the same format. */
export interface ReservationRecord {
  state: ReservationState;
  version: number;
  items: Item[];
  deadlineMs: number;
  amountMinor: number;
  currency: string;
  buyer: string;
  /** Whether the buyer's units are counted towards a limit. */
  counted: boolean;
  /** Whether the hold became an order. */
  ordered: boolean;
  /** Of the payment event that settled the order, or ''. */
  reference: string;
}

export const isLive = (state: ReservationState): boolean => state === 'held' || state === 'pending';

/** Adds up lines of the same product and sorts by product: the one spelling of a set of items. */
export function canonicalItems(items: readonly Item[]): Item[] {
  const qtyByProduct = new Map<number, number>();
  for (const { productId, qty } of items) {
    qtyByProduct.set(productId, (qtyByProduct.get(productId) ?? 0) + qty);
  }
  return [...qtyByProduct]
    .map(([productId, qty]) => ({ productId, qty }))
    .sort((a, b) => a.productId - b.productId);
}

/** `42:2,43:1`, of canonical items. */
export function formatItems(items: readonly Item[]): string {
  const only = items[0];
  if (only && items.length === 1) return `${only.productId}:${only.qty}`;
  return items.map(({ productId, qty }) => `${productId}:${qty}`).join(',');
}

/** The inverse of `formatItems`. */
export function parseItems(text: string): Item[] {
  return text.split(',').map((item) => {
    const [productId, qty] = item.split(':');
    return { productId: Number(productId), qty: Number(qty) };
  });
}

/** The record as Redis keeps it. The reference stands last, since it may hold any character. */
export function formatRecord(record: ReservationRecord): string {
  return [
    record.state,
    record.version,
    formatItems(record.items),
    record.deadlineMs,
    record.amountMinor,
    record.currency,
    record.buyer,
    record.counted ? '1' : '',
    record.ordered ? '1' : '',
    record.reference,
  ].join('|');
}

/** The inverse of `formatRecord`. Throws on text that is no record. */
export function parseRecord(text: string): ReservationRecord {
  const [
    state,
    version,
    items,
    deadlineMs,
    amountMinor,
    currency,
    buyer,
    counted,
    ordered,
    ...rest
  ] = text.split('|');
  if (rest.length === 0 || items === undefined) throw new Error(`unreadable record: ${text}`);
  return {
    state: state as ReservationState,
    version: Number(version),
    items: parseItems(items),
    deadlineMs: Number(deadlineMs),
    amountMinor: Number(amountMinor),
    currency: currency ?? '',
    buyer: buyer ?? '',
    counted: counted === '1',
    ordered: ordered === '1',
    reference: rest.join('|'),
  };
}

/** The member of the deadline index that stands for a live reservation. */
export function formatDueMember(id: string, record: ReservationRecord): string {
  const buyer = record.counted ? record.buyer : '';
  return `${id}|${record.state}|${record.version}|${formatItems(record.items)}|${buyer}`;
}
