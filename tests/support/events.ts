import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { onTestFinished } from 'vitest';

export interface StockData {
  [field: string]: unknown;
}

/** A listener to an event stream over a connection of its own, hung up after the test. */
export interface EventListener {
  response: IncomingMessage;
  /** The `stock` events so far. */
  events: StockData[];
  /** When each of them came, on the clock of `performance.now()`. */
  cameAtMs: number[];
  comments: () => number;
  /** Everything that has come, as it was sent. */
  text: () => string;
  /** Whether the connection has ended, whoever ended it. */
  hasEnded: () => boolean;
  hangUp: () => void;
}

/** Listens; `isReading: false` leaves everything in the socket. */
export async function listenTo(
  url: string,
  { isReading = true }: { isReading?: boolean } = {},
): Promise<EventListener> {
  const sent = request(url, { agent: false, headers: { accept: 'text/event-stream' } }).end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  const events: StockData[] = [];
  const cameAtMs: number[] = [];
  let text = '';
  let comments = 0;
  let rest = '';
  let hasEnded = false;
  response.setEncoding('utf8');
  response.on('error', () => {});
  response.on('close', () => {
    hasEnded = true;
  });
  onTestFinished(() => void sent.destroy());
  const take = (chunk: string) => {
    text += chunk;
    const parts = (rest + chunk).split('\n\n');
    rest = parts.pop() ?? '';
    for (const part of parts) {
      const data = /^event: stock\ndata: (.*)$/m.exec(part)?.[1];
      if (data === undefined) comments += 1;
      else {
        events.push(JSON.parse(data));
        cameAtMs.push(performance.now());
      }
    }
  };
  if (isReading) response.on('data', take);
  else response.pause();
  return {
    ...{ response, events, cameAtMs },
    comments: () => comments,
    text: () => text,
    hasEnded: () => hasEnded,
    hangUp: () => void sent.destroy(),
  };
}
