import { cpus, release, totalmem, type } from 'node:os';
import type { Servers } from './servers.ts';

/** What figures were measured on. */
export function describeMachine({ versions }: Pick<Servers, 'versions'>): string {
  const cores = cpus();
  const model = cores[0]?.model.trim() || 'unknown';
  const memoryGib = Math.round(totalmem() / 2 ** 30);
  return [
    `${cores.length} cores (${model})`,
    `${memoryGib} GiB`,
    `${type()} ${release()}`,
    `Node ${process.version.slice(1)}`,
    versions.redis,
    versions.mysql,
  ].join(', ');
}
