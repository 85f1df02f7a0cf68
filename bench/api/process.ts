import { answerParent } from '../ipc.ts';
import type { ApiSettings, RunningApi } from './settings.ts';

// One API under load, a process of its own.

const starts: Record<ApiSettings['kind'], (settings: ApiSettings) => Promise<RunningApi>> = {
  holdfast: async (settings) => (await import('./holdfast.ts')).startHoldfast(settings),
  bare: async () => (await import('./bare.ts')).startBare(),
  'raw-hono': async () => (await import('./raw-hono.ts')).startRawHono(),
  'row-lock': async (settings) => (await import('./row-lock.ts')).startRowLock(settings),
  'node-http': async () => (await import('./node-http.ts')).startNodeHttp(),
};

let api: RunningApi | undefined;

async function start(settings: ApiSettings): Promise<number> {
  api = await starts[settings.kind](settings);
  return api.port;
}

answerParent({ start }, async () => api?.close());
