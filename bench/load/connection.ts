import { connect, type Socket } from 'node:net';

/** What a connection tells about each answer. */
export interface Answered {
  status: number;
  latencyMs: number;
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
  readonly #next: () => Buffer | undefined;
  readonly #answered: (answered: Answered) => void;
  #text = '';
  #sentAt = 0;
  #finish: { resolve: () => void; reject: (error: Error) => void } | undefined;

  /** `next` is what to send next, or undefined when it is enough. */
  constructor(
    port: number,
    next: () => Buffer | undefined,
    answered: (answered: Answered) => void,
  ) {
    this.#next = next;
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

  /** Sends one request after the other until there is none. */
  run(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#finish = { resolve, reject };
      this.#send();
    });
  }

  close(): void {
    this.#finish = undefined;
    this.#socket.destroy();
  }

  #send(): void {
    const request = this.#next();
    if (!request) {
      this.#finish?.resolve();
      return;
    }
    this.#sentAt = performance.now();
    this.#socket.write(request);
  }

  #take(chunk: Buffer): void {
    this.#text += chunk.toString('latin1');
    const length = lengthOfAnswer(this.#text);
    if (length === undefined) return;
    const status = Number(this.#text.slice(9, 12));
    this.#text = this.#text.slice(length);
    this.#answered({ status, latencyMs: performance.now() - this.#sentAt });
    this.#send();
  }
}
