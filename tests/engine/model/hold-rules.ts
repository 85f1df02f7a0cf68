import type { Ledger, Line, Reservation } from './ledger.ts';
import { type Expected, type Request, refused, type Told, worth } from './requests.ts';

function refusedByRules(ledger: Ledger, lines: Line[], buyer: string): Expected | undefined {
  const nowMs = Date.now();
  let currency: string | undefined;
  for (const { productId, qty } of lines) {
    const article = ledger.article(productId);
    const { startsAtMs, endsAtMs, maxPerHold, maxPerBuyer } = article;
    if (article.status === 'paused') return refused('sale_paused', { productId });
    // Bounds of a sale lie years away, so that any clock will do.
    if (startsAtMs !== null && nowMs < startsAtMs)
      return refused('sale_not_started', { productId });
    if (endsAtMs !== null && nowMs >= endsAtMs) return refused('sale_ended', { productId });
    if (maxPerHold !== null && qty > maxPerHold) {
      return refused('qty_above_limit', { productId, maxPerHold });
    }
    if (currency !== undefined && currency !== article.currency) return refused('mixed_currencies');
    currency = article.currency;
    if (maxPerBuyer !== null && buyer === '') return refused('buyer_required', { productId });
  }
  for (const { productId, qty } of lines) {
    const { maxPerBuyer, unitsByBuyer } = ledger.article(productId);
    const units = unitsByBuyer.get(buyer) ?? 0;
    if (maxPerBuyer !== null && units + qty > maxPerBuyer) {
      return refused('buyer_limit', { productId, maxPerBuyer, units });
    }
  }
  for (const { productId, qty } of lines) {
    const { available } = ledger.article(productId);
    if (available < qty) return refused('sold_out', { productId, available });
  }
  return undefined;
}

/** What a hold must be answered, in the order of precedence that the contract gives. */
export function hold(ledger: Ledger, { lines, buyer, key }: Request & { do: 'hold' }): Expected {
  let lane: number | undefined;
  for (const { productId } of lines) {
    const article = ledger.articles.get(productId);
    if (!article) return refused('product_not_found', { productId });
    lane ??= article.lane;
    if (article.lane !== lane) return refused('items_in_different_lanes');
  }
  const scoped = `${lane} ${key}`;
  const content = JSON.stringify([lines, buyer]);
  const first = key === '' ? undefined : ledger.holdsByKey.get(scoped);
  if (first && first.content !== content) return refused('idempotency_mismatch');
  const known = first && ledger.reservations.get(first.id);
  if (known) {
    const { id, firstUntilMs: expiresAtMs } = known;
    return { answer: { status: 'held', again: { id, expiresAtMs }, ...worth(known) } };
  }
  const refusal = refusedByRules(ledger, lines, buyer);
  if (refusal) return refusal;
  const articles = lines.map(({ productId }) => ledger.article(productId));
  const reservation: Reservation = {
    id: '',
    lane: lane ?? 0,
    lines,
    buyer,
    key,
    amountMinor: lines.reduce((sum, { qty }, at) => sum + qty * (articles[at]?.priceMinor ?? 0), 0),
    currency: articles[0]?.currency ?? '',
    state: 'held',
    ordered: false,
    version: 0,
    heldUntilMs: 0,
    firstUntilMs: 0,
    extended: false,
    payByMs: 0,
    reference: null,
    overdue: false,
    maybeLate: false,
  };
  ledger.step(reservation, 'held');
  const accept = ({ id, deadlineMs }: Told) => {
    Object.assign(reservation, { id, heldUntilMs: deadlineMs, firstUntilMs: deadlineMs });
    ledger.reservations.set(id, reservation);
    if (key !== '') ledger.holdsByKey.set(scoped, { content, id });
  };
  return { answer: { status: 'held', again: null, ...worth(reservation) }, accept };
}
