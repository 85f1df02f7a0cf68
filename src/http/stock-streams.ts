import { setImmediate as nextTurn } from 'node:timers/promises';
import { Unavailable } from '../domain/unavailable.ts';
import type { Logger } from '../log.ts';
import { StockListener } from './stock-listener.ts';
import { type Patience, type ProductReader, StockWatch } from './stock-watch.ts';

const READ_EVERY_MS = 250;
/** What is older than this is no first event: Redis may be away. */
const FRESH_MS = 2 * READ_EVERY_MS;
/** Products that are read by one call. */
const PRODUCTS_PER_TURN = 200;

export interface StreamLimits extends Patience {
  /** Of one process. */
  listenersMax: number;
}

const LIMITS: StreamLimits = { listenersMax: 10_000, beatEveryMs: 15_000, unreadMsMax: 30_000 };

export interface StreamDeps {
  engine: ProductReader;
  /** Told of each listener that comes, and of each that leaves. */
  listening: (change: 1 | -1) => void;
  log: Logger;
}

/** What opening a stream comes to. */
export type Opened =
  | { status: 'opened'; stream: ReadableStream<Uint8Array> }
  | { status: 'unknown' | 'full' };

/**
 * Live stock for listeners of this process: each product that somebody listens to is read every
 * 250 ms, once for all of them, and where something has changed they are told, with the same bytes.
 * While it cannot be read they hear comments only.
 */
export class StockStreams {
  readonly #deps: StreamDeps;
  readonly #limits: StreamLimits;
  readonly #watches = new Map<number, StockWatch>();
  /** Watches that still read, or tell their listeners: they leave ticks out. */
  readonly #busy = new WeakSet<StockWatch>();
  #listeners = 0;
  #ticking: NodeJS.Timeout | undefined;

  constructor(deps: StreamDeps, limits: Partial<StreamLimits> = {}) {
    this.#deps = deps;
    this.#limits = { ...LIMITS, ...limits };
  }

  /**
   * A stream that begins with the product as it is now. `hangUp` cuts the connection of a listener
   * that does not read. Throws `Unavailable` where the product cannot be read.
   */
  async open(id: number, hangUp: () => void = () => {}): Promise<Opened> {
    const watch = this.#watches.get(id) ?? this.#begin(id);
    watch.opening += 1;
    try {
      if (watch.ageMs() > FRESH_MS) await watch.read();
      if (!watch.event) return { status: 'unknown' };
      if (this.#listeners >= this.#limits.listenersMax) return { status: 'full' };
      return { status: 'opened', stream: this.#add(watch, hangUp).stream };
    } finally {
      watch.opening -= 1;
      this.#endIdle(watch);
    }
  }

  #begin(id: number): StockWatch {
    const watch = new StockWatch(id, this.#deps.engine, this.#limits);
    this.#watches.set(id, watch);
    this.#ticking ??= setInterval(() => void this.#tick(), READ_EVERY_MS);
    return watch;
  }

  #add(watch: StockWatch, hangUp: () => void): StockListener {
    const left = () => {
      if (!watch.listeners.delete(listener)) return;
      this.#listeners -= 1;
      this.#deps.listening(-1);
      this.#endIdle(watch);
    };
    const listener = new StockListener(() => watch.event, left, hangUp);
    watch.listeners.add(listener);
    this.#listeners += 1;
    this.#deps.listening(1);
    return listener;
  }

  #endIdle({ id, listeners, opening }: StockWatch): void {
    if (listeners.size > 0 || opening > 0) return;
    this.#watches.delete(id);
    if (this.#watches.size > 0) return;
    clearInterval(this.#ticking);
    this.#ticking = undefined;
  }

  async #tick(): Promise<void> {
    let count = 0;
    for (const watch of this.#watches.values()) {
      void this.#look(watch);
      count += 1;
      // Reads of one turn of the event loop share a call.
      if (count % PRODUCTS_PER_TURN === 0) await nextTurn();
    }
  }

  // Never fails.
  async #look(watch: StockWatch): Promise<void> {
    if (this.#busy.has(watch)) return;
    this.#busy.add(watch);
    await watch.read().catch((error) => {
      if (error instanceof Unavailable) return;
      this.#deps.log.error({ err: error, product: watch.id }, 'live stock could not be read');
    });
    await watch.tell();
    this.#busy.delete(watch);
  }
}
