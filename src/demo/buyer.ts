import { setTimeout as pause } from 'node:timers/promises';
import { type Decisions, decide, mulberry32, type Random } from './decisions.ts';
import type { Sale } from './sale.ts';
import type { Answer, HoldRequest, PaymentEvent } from './shop.ts';

/** How often a request whose outcome is unknown is sent again. */
const TRIES_MAX = 30;
const UNKNOWN_PAUSE_MS = 500;
const EVENT_PAUSE_MS = 100;
/** Refused buyers do not all come back in the same moment. */
const COMES_BACK_MS_MAX = 1_500;
const HANGS_UP_MS_MAX = 5;
/** After the end of the payment window. */
const LATE_MS_MAX = 1_000;
const LATE_MS_MIN = 300;

const isUnknown = ({ status }: Answer): boolean => status === 0 || status === 503;

class Buyer {
  readonly #sale: Sale;
  readonly #name: string;
  readonly #will: Decisions;
  readonly #request: HoldRequest;
  readonly #random: Random;

  constructor(sale: Sale, number: number) {
    const { run, seed } = sale.plan;
    this.#sale = sale;
    this.#name = `demo-${run}-${number}`;
    this.#will = decide(seed, number);
    this.#random = mulberry32(seed + number);
    this.#request = {
      product_id: sale.plan.productId,
      qty: this.#will.qty,
      buyer: this.#name,
    };
  }

  async live(): Promise<void> {
    const { ledger, shop } = this.#sale;
    const holdId = await this.#obtainHold();
    if (holdId === undefined) return;
    ledger.holds.set(holdId, 'held');
    switch (this.#will.withHold) {
      case 'abandon':
        return;
      case 'release': {
        await pause(this.#will.thinksMs);
        const answer = await this.#untilKnown(() => shop.release(holdId));
        if (answer.status === 200) ledger.holds.set(holdId, 'released');
        else if (answer.status === 410) ledger.tooLateCount += 1;
        else if (!isUnknown(answer)) ledger.unexpectedAnswer('a release', answer);
        return;
      }
      case 'order':
        await pause(this.#will.thinksMs);
        await this.#buy(holdId);
    }
  }

  /** Sends it again, and again, until somebody says what happened. */
  async #untilKnown(send: () => Promise<Answer>): Promise<Answer> {
    const { ledger } = this.#sale;
    for (let tries = 1; ; tries += 1) {
      const answer = await send();
      if (!isUnknown(answer)) return answer;
      ledger.unknownCount += 1;
      if (tries === TRIES_MAX) return answer;
      ledger.repeatCount += 1;
      await pause(UNKNOWN_PAUSE_MS * (1 + this.#random()));
    }
  }

  async #askForHold(): Promise<Answer> {
    const { shop, ledger } = this.#sale;
    const ask = async () => {
      const answer = await shop.takeHold(this.#request, this.#name);
      ledger.holdAnswered(answer);
      if (answer.body.code === 'sold_out') ledger.refusalCount += 1;
      return answer;
    };
    if (!this.#will.asksTwice) return this.#untilKnown(ask);
    ledger.repeatCount += 1;
    const [one, other] = await Promise.all([this.#untilKnown(ask), this.#untilKnown(ask)]);
    const ids = new Set([one, other].flatMap(({ body }) => body.hold_id ?? []));
    if (ids.size > 1) ledger.surprised(`one Idempotency-Key got two holds: ${[...ids]}`);
    return other.status === 201 ? other : one;
  }

  /** Comes back while the sale lasts. The same key throughout: this buyer wants one hold. */
  async #obtainHold(): Promise<string | undefined> {
    const { ledger, shop, isOpen } = this.#sale;
    if (this.#will.hangsUp) {
      await shop.takeHold(this.#request, this.#name, this.#random() * HANGS_UP_MS_MAX);
      ledger.repeatCount += 1;
    }
    for (let isFirst = true; ; isFirst = false) {
      const answer = await this.#askForHold();
      if (isFirst) ledger.buyerAnswered();
      if (answer.status === 201) return answer.body.hold_id;
      if (answer.body.code !== 'sold_out') {
        if (isUnknown(answer)) ledger.unservedBuyerCount += 1;
        else ledger.unexpectedAnswer('a hold', answer);
        return undefined;
      }
      if (isOpen()) {
        await pause((answer.body.retry_after_ms ?? 0) + this.#random() * COMES_BACK_MS_MAX);
      }
      if (!isOpen()) {
        ledger.refusedBuyerCount += 1;
        return undefined;
      }
    }
  }

  /** The order's id, or undefined when the hold has run out. */
  async #order(holdId: string): Promise<string | undefined> {
    const { ledger, shop } = this.#sale;
    const order = () => this.#untilKnown(() => shop.makeOrder(holdId, this.#name));
    const again = this.#will.ordersTwice ? [order()] : [];
    ledger.repeatCount += again.length;
    const answers = await Promise.all([order(), ...again]);
    const ids = new Set(answers.flatMap(({ body }) => body.order_id ?? []));
    if (ids.size > 1) ledger.surprised(`one hold became two orders: ${[...ids]}`);
    for (const answer of answers) {
      if (answer.status === 410) ledger.tooLateCount += 1;
      else if (answer.status !== 201 && !isUnknown(answer)) {
        ledger.unexpectedAnswer('an order', answer);
      }
    }
    const [orderId] = ids;
    if (orderId !== undefined) ledger.ordered(orderId);
    return orderId;
  }

  /** As providers do: again and again until the answer is 200. */
  async #deliver(event: PaymentEvent): Promise<void> {
    const { ledger, shop } = this.#sale;
    for (let tries = 1; tries <= TRIES_MAX; tries += 1) {
      const answer = await this.#untilKnown(() => shop.deliver(event));
      if (answer.status === 200) {
        ledger.settled(event.reference, event.order_id, answer);
        return;
      }
      if (answer.status !== 422) {
        if (!isUnknown(answer)) ledger.unexpectedAnswer('a payment event', answer);
        return;
      }
      await pause(EVENT_PAUSE_MS);
    }
    ledger.surprised(`${event.reference} never found its order`);
  }

  async #buy(holdId: string): Promise<void> {
    const { ledger, shop, plan } = this.#sale;
    const { payment, thinksMs, deliveries, afterwards } = this.#will;
    const status = payment === 'failed' ? 'failed' : 'success';
    // A hold and its order share what follows the prefix.
    const orderId = holdId.replace('hold_', 'order_');
    const event = { order_id: orderId, reference: `${this.#name}-pay`, status } as const;
    if (payment === 'early') {
      const answer = await shop.deliver(event);
      if (answer.status === 422) ledger.earlyEventCount += 1;
    }
    const ordered = await this.#order(holdId);
    if (ordered === undefined || payment === 'never') return;
    if (payment === 'late') {
      const lateMs = LATE_MS_MIN + this.#random() * (LATE_MS_MAX - LATE_MS_MIN);
      await pause(plan.payTtlMs + lateMs);
      ledger.lateEventCount += 1;
    } else {
      await pause(thinksMs);
    }
    ledger.repeatCount += deliveries - 1;
    await Promise.all(Array.from({ length: deliveries }, () => this.#deliver(event)));
    if (status === 'failed' || afterwards === 'nothing') return;
    await this.#deliver({
      order_id: orderId,
      reference: `${this.#name}-${afterwards}`,
      status: afterwards === 'failure' ? 'failed' : 'success',
    });
  }
}

/** Lives one buyer's life to its end. What it is told goes into the sale's ledger. */
export const live = (sale: Sale, number: number): Promise<void> => new Buyer(sale, number).live();
