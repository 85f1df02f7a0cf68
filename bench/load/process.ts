import { createHistogram } from 'node:perf_hooks';
import { answerParent } from '../ipc.ts';
import { Connection } from './connection.ts';
import type { Load, LoadResult } from './generator.ts';

// The load generator, a process of its own.

async function run({ port, requests, connections, seconds, count }: Load): Promise<LoadResult> {
  const statuses: Record<number, number> = {};
  const latencyUs = createHistogram();
  const bytes = requests.map((request) => Buffer.from(request, 'latin1'));
  let sent = connections;
  let endsAt = Number.POSITIVE_INFINITY;
  const clients = Array.from(
    { length: connections },
    (_, first) =>
      new Connection(port, bytes, first, ({ status, latencyMs }) => {
        statuses[status] = (statuses[status] ?? 0) + 1;
        latencyUs.record(Math.max(1, Math.round(latencyMs * 1_000)));
        sent += 1;
        return sent <= count && performance.now() < endsAt;
      }),
  );
  await Promise.all(clients.map((client) => client.opened()));
  const cpuBefore = process.cpuUsage();
  const startedAt = performance.now();
  endsAt = startedAt + seconds * 1_000;
  await Promise.all(clients.map((client) => client.run()));
  const elapsedMs = performance.now() - startedAt;
  const cpu = process.cpuUsage(cpuBefore);
  for (const client of clients) client.close();
  const answers = Object.values(statuses).reduce((sum, some) => sum + some, 0);
  return {
    statuses,
    answers,
    elapsedMs,
    p50Ms: latencyUs.percentile(50) / 1_000,
    p99Ms: latencyUs.percentile(99) / 1_000,
    cpuUs: cpu.user + cpu.system,
  };
}

answerParent({ run });
