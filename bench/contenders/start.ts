import type { ApiSettings } from '../api/settings.ts';
import { Child } from '../ipc.ts';
import type { ApiProcess } from './contender.ts';

/** An API in a process of its own, and where it listens. */
export async function startApi(settings: Partial<ApiSettings>): Promise<ApiProcess> {
  const api = new Child(new URL('../api/process.ts', import.meta.url));
  const port = await api.ask<number>('start', settings);
  return { api, port };
}
