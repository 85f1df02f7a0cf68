import { setImmediate as nextTurn } from 'node:timers/promises';
import { Deadline } from '../domain/deadline.ts';
import type { Engine } from '../engine/engine.ts';
import { HOLD_BUDGET_MS } from './budgets.ts';
import { productJson } from './product-answer.ts';
import type { StockEvent, StockListener } from './stock-listener.ts';

/** Listeners that are told in one turn of the event loop; buyers have their turns in between. */
const LISTENERS_PER_TURN = 250;

/** How patient a watch is with its listeners. */
export interface Patience {
  /** After so long without an event listeners get a comment. */
  beatEveryMs: number;
  /** Who has not read for so long is dropped, at the next event or comment. */
  unreadMsMax: number;
}

export type ProductReader = Pick<Engine, 'readProduct' | 'nowMs'>;

/** One product, and everybody in this process who listens to it. */
export class StockWatch {
  readonly id: number;
  readonly listeners = new Set<StockListener>();
  /** Listeners that wait for their first event. */
  opening = 0;
  /** The product as buyers see it; undefined before it is read, and while there is none. */
  event: StockEvent | undefined;
  readonly #engine: ProductReader;
  readonly #patience: Patience;
  #json = '';
  #readAtMs = Number.NEGATIVE_INFINITY;
  #reading: Promise<void> | undefined;
  #told = 0;
  #toldAtMs = performance.now();

  constructor(id: number, engine: ProductReader, patience: Patience) {
    this.id = id;
    this.#engine = engine;
    this.#patience = patience;
  }

  /** Reads the product, once for all who ask meanwhile. Throws `Unavailable`. */
  read(): Promise<void> {
    this.#reading ??= this.#readNow().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  /** How long ago the product was read. */
  ageMs(): number {
    return performance.now() - this.#readAtMs;
  }

  /** Tells all listeners what has changed; or that the connection lives, when that is due. */
  async tell(): Promise<void> {
    const version = this.event?.version ?? 0;
    const isNews = version !== this.#told;
    if (!isNews && performance.now() - this.#toldAtMs < this.#patience.beatEveryMs) return;
    this.#told = version;
    this.#toldAtMs = performance.now();
    let count = 0;
    for (const listener of this.listeners) {
      if (listener.unreadMs() > this.#patience.unreadMsMax) listener.drop();
      else if (isNews) listener.tell();
      else listener.beat();
      count += 1;
      if (count % LISTENERS_PER_TURN === 0) await nextTurn();
    }
  }

  async #readNow(): Promise<void> {
    const product = await this.#engine.readProduct(this.id, new Deadline(HOLD_BUDGET_MS));
    if (!product) return;
    this.#readAtMs = performance.now();
    // The status follows the clock, and changes without a write.
    const json = JSON.stringify(productJson(product, this.#engine.nowMs()));
    if (json === this.#json) return;
    this.#json = json;
    const bytes = Buffer.from(`event: stock\ndata: ${json}\n\n`);
    this.event = { version: (this.event?.version ?? 0) + 1, bytes };
  }
}
