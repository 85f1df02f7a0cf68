import { setTimeout as pause } from 'node:timers/promises';
import { answerOf, type Item, type Operation, type Request } from './history.ts';
import { choose, pick, type Random, seeded, whole } from './random.ts';
import type { Product, Sale } from './sale.ts';
import { EXTEND_MS, PAY_TTL_MS } from './world.ts';

/** Buyers of the product that limits units per buyer. */
const LIMITED_BUYERS = 30;
const LATE_MS_MAX = 800;

/** What is on sale; `scarce` and `rare` sell out. */
export interface Shelf {
  scarce: Product;
  rare: Product;
  plenty: Product;
  limited: Product;
  extra: Product;
}

export async function fillShelf(sale: Sale): Promise<Shelf> {
  return {
    scarce: await sale.create('scarce', 25),
    rare: await sale.create('rare', 150, { extend_seconds: EXTEND_MS / 1_000 }),
    plenty: await sale.create('plenty', 1_000_000, { extend_seconds: EXTEND_MS / 1_000 }),
    limited: await sale.create('limited', 400, { max_per_buyer: 3 }),
    extra: await sale.create('extra', 300),
  };
}

class Buyer {
  readonly #sale: Sale;
  readonly #shelf: Shelf;
  readonly #random: Random;
  readonly #name: string;
  #count = 0;

  constructor(sale: Sale, shelf: Shelf, number: number) {
    this.#sale = sale;
    this.#shelf = shelf;
    this.#random = seeded(sale.seed, number);
    this.#name = `buyer-${number}`;
  }

  async live(): Promise<void> {
    while (!this.#sale.isOver) {
      await this.#sale.think(this.#random);
      await choose<() => Promise<unknown>>(this.#random, [
        [() => this.#buy(), 88],
        [() => this.#restock(), 2],
        [() => this.#look(), 10],
      ])();
    }
  }

  #ask(request: Request, client = this.#name): Promise<Operation> {
    return this.#sale.ask(client, request);
  }

  #unique(what: string): string {
    this.#count += 1;
    return `${what}-${this.#name}-${this.#count}`;
  }

  #chance(share: number): boolean {
    return this.#random() < share;
  }

  #wanted(): { items: Item[]; buyer: string } {
    const { scarce, rare, plenty, limited, extra } = this.#shelf;
    const product = choose(this.#random, [
      [scarce, 20],
      [rare, 20],
      [plenty, 40],
      [limited, 12],
      [extra, 8],
    ]);
    // Of the limited product each buyer has a name that comes back.
    const isLimited = product === limited;
    const buyer = isLimited
      ? `limited-${whole(this.#random, 1, LIMITED_BUYERS)}`
      : this.#unique('b');
    const first = { product_id: product.id, qty: this.#chance(0.2) ? 2 : 1 };
    if (!this.#chance(0.15) || isLimited || product === extra) return { items: [first], buyer };
    return { items: [first, { product_id: extra.id, qty: 1 }], buyer };
  }

  async #buy(): Promise<void> {
    const wanted = this.#wanted();
    const key = this.#chance(0.7) ? { key: this.#unique('hold') } : {};
    const asking = this.#ask({ kind: 'hold', ...wanted, ...key });
    // Impatient ones press the button twice.
    if (key.key && this.#chance(0.05)) {
      this.#sale.later(this.#ask({ kind: 'hold', ...wanted, ...key }));
    }
    const holdId = answerOf(await asking)?.body.hold_id;
    if (!holdId) return;
    await this.#sale.think(this.#random);
    if (this.#chance(0.12)) await this.#extend(holdId);
    await choose<() => Promise<unknown>>(this.#random, [
      [() => this.#order(holdId), 66],
      [() => this.#early(holdId), 5],
      [() => this.#release(holdId), 14],
      [() => this.#orderAndRelease(holdId), 3],
      [async () => {}, 12],
    ])();
  }

  // Once, twice at once, or while it is ordered.
  async #extend(holdId: string): Promise<void> {
    const extend = () => this.#ask({ kind: 'extend', hold_id: holdId });
    await choose<() => Promise<unknown>>(this.#random, [
      [extend, 6],
      [() => Promise.all([extend(), extend()]), 2],
      [() => Promise.all([extend(), this.#ask({ kind: 'order', hold_id: holdId })]), 2],
    ])();
  }

  async #release(holdId: string): Promise<void> {
    await this.#ask({ kind: 'release', hold_id: holdId });
    if (this.#chance(0.2)) await this.#ask({ kind: 'release', hold_id: holdId });
  }

  async #orderAndRelease(holdId: string): Promise<void> {
    await Promise.all([this.#order(holdId), this.#ask({ kind: 'release', hold_id: holdId })]);
  }

  // The provider reports before the order is made.
  async #early(holdId: string): Promise<void> {
    const order_id = holdId.replace('hold_', 'order_');
    const reference = this.#unique('early');
    const paying = this.#ask({ kind: 'pay', order_id, reference, status: 'success' }, 'provider');
    await this.#ask({ kind: 'order', hold_id: holdId });
    await paying;
    this.#sale.later(
      this.#ask({ kind: 'pay', order_id, reference, status: 'success' }, 'provider'),
    );
  }

  async #order(holdId: string): Promise<void> {
    const request: Request = { kind: 'order', hold_id: holdId };
    const key = this.#chance(0.6) ? { key: this.#unique('order') } : {};
    const asking = this.#ask({ ...request, ...key });
    if (this.#chance(0.06)) this.#sale.later(this.#ask({ ...request, ...key }));
    const orderId = answerOf(await asking)?.body.order_id;
    if (!orderId) return;
    if (this.#chance(0.2)) await this.#ask({ kind: 'read', path: `/api/orders/${orderId}` });
    await this.#settle(orderId);
  }

  async #settle(orderId: string): Promise<void> {
    const pay = (status: 'success' | 'failed', reference = this.#unique('pay')) =>
      this.#ask({ kind: 'pay', order_id: orderId, reference, status }, 'provider');
    await choose<() => Promise<unknown>>(this.#random, [
      [() => pay('success'), 48],
      [() => this.#twice(orderId), 12],
      [() => pay('failed'), 10],
      [() => this.#ask({ kind: 'cancel', order_id: orderId }), 7],
      // Two events that contradict each other.
      [() => Promise.all([pay('success'), pay('failed')]), 5],
      [() => Promise.all([pay('success'), pay('success')]), 3],
      [() => this.#sameReference(orderId), 2],
      [async () => this.#sale.later(this.#late(orderId)), 6],
      [async () => {}, 7],
    ])();
  }

  async #twice(orderId: string): Promise<void> {
    const reference = this.#unique('twice');
    const status = this.#chance(0.8) ? 'success' : 'failed';
    const event: Request = { kind: 'pay', order_id: orderId, reference, status };
    if (this.#chance(0.5)) await Promise.all([this.#ask(event), this.#ask(event)]);
    else {
      await this.#ask(event);
      await this.#ask(event);
    }
  }

  // One reference with two meanings: one of them must be refused.
  async #sameReference(orderId: string): Promise<void> {
    const reference = this.#unique('same');
    const event = { kind: 'pay', order_id: orderId, reference } as const;
    await this.#ask({ ...event, status: 'success' });
    await this.#ask({ ...event, status: 'failed' });
  }

  async #late(orderId: string): Promise<void> {
    await pause(PAY_TTL_MS + whole(this.#random, 50, LATE_MS_MAX));
    const reference = this.#unique('late');
    await this.#ask({ kind: 'pay', order_id: orderId, reference, status: 'success' }, 'provider');
  }

  async #restock(): Promise<void> {
    const { scarce, rare, extra } = this.#shelf;
    const product = pick(this.#random, [scarce, rare, extra]);
    const delta = this.#chance(0.8) ? whole(this.#random, 1, 5) : -whole(this.#random, 1, 3);
    const key = this.#unique('restock');
    const request: Request = { kind: 'restock', product_id: product.id, delta, key };
    await this.#ask(request, 'ops');
    if (this.#chance(0.3)) await this.#ask(request, 'ops');
  }

  async #look(): Promise<void> {
    const product = pick(this.#random, Object.values(this.#shelf));
    await this.#ask({ kind: 'read', path: `/api/products/${product.id}` });
  }
}

/** Lets the sale's clients buy until it is over. */
export async function crowd(sale: Sale, shelf: Shelf): Promise<void> {
  await Promise.all(
    Array.from({ length: sale.clients }, (_, number) => new Buyer(sale, shelf, number).live()),
  );
}
