/** What is told of a product, counted, so that nobody is told the same twice. */
export interface StockEvent {
  version: number;
  bytes: Uint8Array;
}

const HEARTBEAT = Buffer.from(':\n\n');
/** Spread, so that the listeners of a process that stops do not all come back at one moment. */
const RETRY_MS = { min: 1_000, max: 3_000 };

function greeting({ bytes }: StockEvent): Uint8Array {
  const retryMs = Math.round(RETRY_MS.min + Math.random() * (RETRY_MS.max - RETRY_MS.min));
  return Buffer.concat([Buffer.from(`retry: ${retryMs}\n`), bytes]);
}

/**
 * One listener and its stream. Nothing is queued for it: whoever has not read the last event yet is
 * told the newest one as soon as it has.
 */
export class StockListener {
  readonly stream: ReadableStream<Uint8Array>;
  readonly #newest: () => StockEvent | undefined;
  readonly #left: () => void;
  readonly #hangUp: () => void;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #told: number | undefined;
  #isReading = false;
  #busySinceMs = performance.now();

  /** `left` is called at its end, whoever ends it; `hangUp` cuts the connection of one that is dropped. */
  constructor(newest: () => StockEvent | undefined, left: () => void, hangUp: () => void) {
    this.#newest = newest;
    this.#left = left;
    this.#hangUp = hangUp;
    const source = {
      start: (controller: ReadableStreamDefaultController<Uint8Array>) => {
        this.#controller = controller;
      },
      // Asked for when the socket has taken the last event, and the stream itself keeps none.
      pull: () => {
        this.#isReading = true;
        this.tell();
      },
      cancel: () => this.#end(),
    };
    this.stream = new ReadableStream(source, { highWaterMark: 0 });
  }

  /** Sends the newest event, unless it was told already or the last one is still under way. */
  tell(): void {
    const event = this.#newest();
    if (!this.#isReading || !event || this.#told === event.version) return;
    const isFirst = this.#told === undefined;
    this.#told = event.version;
    this.#send(isFirst ? greeting(event) : event.bytes);
  }

  /** Keeps the connection alive where there is nothing to tell. */
  beat(): void {
    if (this.#isReading) this.#send(HEARTBEAT);
  }

  /** How long the last thing sent has not been read. */
  unreadMs(): number {
    return this.#isReading ? 0 : performance.now() - this.#busySinceMs;
  }

  /** Ends one that does not read. */
  drop(): void {
    this.#controller?.close();
    this.#end();
    this.#hangUp();
  }

  #send(bytes: Uint8Array): void {
    this.#isReading = false;
    this.#busySinceMs = performance.now();
    this.#controller?.enqueue(bytes);
  }

  #end(): void {
    this.#controller = undefined;
    this.#left();
  }
}
