import { createHistogram } from 'node:perf_hooks';
import { answerParent } from '../ipc.ts';
import { type Answered, Connection } from './connection.ts';
import type { Load, LoadResult } from './generator.ts';

// The load generator, a process of its own.

async function run({ port, requests, connections, seconds, count }: Load): Promise<LoadResult> {
  const statuses: Record<number, number> = {};
  const latencyUs = createHistogram();
  const bytes = requests.map((request) => Buffer.from(request, 'latin1'));
  let sent = 0;
  let endsAt = Number.POSITIVE_INFINITY;
  const next = () => {
    if (sent >= count || performance.now() >= endsAt) return undefined;
    const request = bytes[sent % bytes.length];
    sent += 1;
    return request;
  };
  const answered = ({ status, latencyMs }: Answered) => {
    statuses[status] = (statuses[status] ?? 0) + 1;
    latencyUs.record(Math.max(1, Math.round(latencyMs * 1_000)));
  };
  const clients = Array.from({ length: connections }, () => new Connection(port, next, answered));
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
