import { connect, type Socket } from 'node:net';

/** What a connection tells about each answer. */
export interface Answered {
  status: number;
  /** When the request was to be sent, and when its answer was complete, by `performance.now()`. */
  dueAt: number;
  now: number;
}

// How long the first answer in the text is, or undefined while it is not complete.
function lengthOfAnswer(text: string): number | undefined {
  const headEnd = text.indexOf('\r\n\r\n');
  if (headEnd < 0) return undefined;
  const length = /\r\ncontent-length: (\d+)\r\n/i.exec(text)?.[1];
  if (length !== undefined) {
    const end = headEnd + 4 + Number(length);
    return text.length >= end ? end : undefined;
  }
  // A chunked body of one request at a time ends with what has come.
  return text.endsWith('\r\n0\r\n\r\n') ? text.length : undefined;
}

/**
 * One keep-alive connection with one request in flight. It sends fixed bytes and reads no more of an
 * answer than its status and its end, so that the generator costs as little as it can.
 */
export class Connection {
  readonly #socket: Socket;
  readonly #requests: readonly Buffer[];
  readonly #answered: (answered: Answered) => number | undefined;
  #next: number;
  #text = '';
  #dueAt = 0;
  #finish: { resolve: () => void; reject: (error: Error) => void } | undefined;

  /** `answered` says when to go on, if at all; `first` is where in the requests to begin. */
  constructor(
    port: number,
    requests: readonly Buffer[],
    first: number,
    answered: (answered: Answered) => number | undefined,
  ) {
    this.#requests = requests;
    this.#next = first;
    this.#answered = answered;
    this.#socket = connect({ host: '127.0.0.1', port, noDelay: true });
    this.#socket.on('data', (chunk) => this.#take(chunk));
    this.#socket.on('error', (error) => this.#finish?.reject(error));
    this.#socket.on('close', () =>
      this.#finish?.reject(new Error('the server closed a connection')),
    );
  }

  opened(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#finish = { resolve, reject };
      this.#socket.once('connect', resolve);
    });
  }

  /** Sends one request after the other, the first at this moment, until told to stop. */
  run(firstAt: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#finish = { resolve, reject };
      this.#sendAt(firstAt, performance.now());
    });
  }

  close(): void {
    this.#finish = undefined;
    this.#socket.destroy();
  }

  #sendAt(dueAt: number, now: number): void {
    this.#dueAt = dueAt;
    if (dueAt <= now) this.#send();
    else setTimeout(() => this.#send(), Math.ceil(dueAt - now));
  }

  #send(): void {
    const request = this.#requests[this.#next % this.#requests.length] as Buffer;
    this.#next += 1;
    this.#socket.write(request);
  }

  #take(chunk: Buffer): void {
    this.#text += chunk.toString('latin1');
    const length = lengthOfAnswer(this.#text);
    if (length === undefined) return;
    const status = Number(this.#text.slice(9, 12));
    this.#text = this.#text.slice(length);
    const now = performance.now();
    const nextAt = this.#answered({ status, dueAt: this.#dueAt, now });
    if (nextAt === undefined) this.#finish?.resolve();
    else this.#sendAt(nextAt, now);
  }
}
