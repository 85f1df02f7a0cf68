import { connect, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

const HOST = '127.0.0.1';

/** A client below HTTP: it sends bytes, and keeps what comes back until the server hangs up. */
export class RawClient {
  readonly socket: Socket;
  /** Resolves once the connection is over, with whatever came. */
  readonly closed: Promise<string>;
  answer = '';

  constructor(port: number) {
    this.socket = connect(port, HOST);
    this.socket.on('data', (data) => {
      this.answer += data;
    });
    // A server that has hung up resets what is still sent.
    this.socket.on('error', () => {});
    this.closed = new Promise((resolve) => {
      this.socket.on('close', () => resolve(this.answer));
    });
    onTestFinished(() => void this.socket.destroy());
  }

  send(bytes: string): this {
    this.socket.write(bytes);
    return this;
  }

  /** Sends one byte of `bytes` after the other, over and over, until the connection is over. */
  drip(bytes: string, everyMs: number): this {
    let index = 0;
    const timer = setInterval(() => {
      this.socket.write(bytes[index % bytes.length] ?? '');
      index += 1;
    }, everyMs);
    this.socket.on('close', () => clearInterval(timer));
    return this;
  }
}

/** What the server says to these bytes until it hangs up. */
export async function sayTo(port: number, bytes: string): Promise<{ head: string; body: string }> {
  const text = await new RawClient(port).send(bytes).closed;
  const [head = '', body = ''] = text.split('\r\n\r\n');
  return { head, body };
}
