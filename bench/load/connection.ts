import { connect, type Socket } from 'node:net';
import type { Tally } from './tally.ts';

/** A request, and when it is to be sent, by `performance.now()`. */
export interface Due {
  request: Buffer;
  dueAt: number;
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
  #next: () => Due | undefined = () => undefined;
  #tally: Tally | undefined;
  #text = '';
  #dueAt = 0;
  #finish: { resolve: () => void; reject: (error: Error) => void } | undefined;

  constructor(port: number) {
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

  /** Sends one request after the other, each when it is due, until there is none. */
  run(next: () => Due | undefined, tally: Tally): Promise<void> {
    this.#next = next;
    this.#tally = tally;
    return new Promise((resolve, reject) => {
      this.#finish = { resolve, reject };
      this.#goOn();
    });
  }

  close(): void {
    this.#finish = undefined;
    this.#socket.destroy();
  }

  #goOn(): void {
    const due = this.#next();
    if (!due) {
      this.#finish?.resolve();
      return;
    }
    this.#dueAt = due.dueAt;
    const laterMs = due.dueAt - performance.now();
    if (laterMs > 0) setTimeout(() => this.#socket.write(due.request), Math.ceil(laterMs));
    else this.#socket.write(due.request);
  }

  #take(chunk: Buffer): void {
    this.#text += chunk.toString('latin1');
    const length = lengthOfAnswer(this.#text);
    if (length === undefined) return;
    const status = Number(this.#text.slice(9, 12));
    this.#text = this.#text.slice(length);
    this.#tally?.record(status, performance.now() - this.#dueAt);
    this.#goOn();
  }
}
