import { answerParent } from '../ipc.ts';
import type { ApiSettings, RunningApi } from './settings.ts';

// One API under load, a process of its own.

const starts: Record<ApiSettings['kind'], (settings: ApiSettings) => Promise<RunningApi>> = {
  holdfast: async (settings) => (await import('./holdfast.ts')).startHoldfast(settings),
  bare: async () => (await import('./bare.ts')).startBare(),
  'bare-later': async () => (await import('./bare.ts')).startBare(together),
  'plain-decr': async (settings) => (await import('./plain-decr.ts')).startPlainDecr(settings),
  'raw-hono': async () => (await import('./raw-hono.ts')).startRawHono(),
  'row-lock': async (settings) => (await import('./row-lock.ts')).startRowLock(settings),
  'node-http': async () => (await import('./node-http.ts')).startNodeHttp(),
};

const LATER_MS = 2;
let soon: Promise<void> | undefined;

// The requests of one turn of the event loop go on together, as when they wait for one reply.
function together(): Promise<void> {
  soon ??= new Promise((resolve) => {
    setImmediate(() => {
      soon = undefined;
      setTimeout(resolve, LATER_MS);
    });
  });
  return soon;
}

let api: RunningApi | undefined;

async function start(settings: ApiSettings): Promise<number> {
  api = await starts[settings.kind](settings);
  return api.port;
}

answerParent({ start }, async () => api?.close());
