import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createHistogram } from 'node:perf_hooks';
import { answerParent } from '../ipc.ts';
import { getRequest } from './generator.ts';
import { type Audience, type Heard, momentIn } from './listeners.ts';

// Listeners to live stock, a process of their own.

const EVENT = 'event: stock\n';
/** Fewer than wait for a server to take their connections. */
const CONNECTED_AT_ONCE = 100;

interface Listener {
  socket: Socket;
  knowsAtMs: number;
}

let listeners: Listener[] = [];
let delayMs = createHistogram();
let events = 0;
let startedAt = 0;

function take(listener: Listener, text: string): void {
  for (let at = text.indexOf(EVENT); at >= 0; at = text.indexOf(EVENT, at + EVENT.length)) {
    events += 1;
  }
  const changedAtMs = momentIn(text);
  if (changedAtMs === undefined || changedAtMs === listener.knowsAtMs) return;
  listener.knowsAtMs = changedAtMs;
  delayMs.record(Math.max(1, Date.now() - changedAtMs));
}

async function open({ port, path, count }: Audience): Promise<void> {
  const request = getRequest(path);
  while (listeners.length < count) {
    const some = Array.from(
      { length: Math.min(CONNECTED_AT_ONCE, count - listeners.length) },
      async () => {
        const socket = connect({ host: '127.0.0.1', port });
        const listener = { socket, knowsAtMs: 0 };
        socket.write(request);
        const [first] = await once(socket, 'data');
        if (!String(first).startsWith('HTTP/1.1 200 ')) throw new Error(String(first));
        socket.on('data', (chunk) => take(listener, chunk.toString('latin1')));
        socket.on('error', () => {});
        return listener;
      },
    );
    listeners.push(...(await Promise.all(some)));
  }
}

function reset(): void {
  delayMs = createHistogram();
  events = 0;
  startedAt = performance.now();
}

function heard(): Heard {
  return {
    events,
    elapsedMs: performance.now() - startedAt,
    p50Ms: delayMs.percentile(50),
    p99Ms: delayMs.percentile(99),
  };
}

const know = (atMs: number) => listeners.filter(({ knowsAtMs }) => knowsAtMs === atMs).length;

function close(): void {
  for (const { socket } of listeners) socket.destroy();
  listeners = [];
}

answerParent({ open, reset, heard, know, close });
