import { answerParent } from '../ipc.ts';
import { Connection } from './connection.ts';
import type { Load, LoadResult } from './generator.ts';
import { type Counted, Tally } from './tally.ts';

// The load generator, a process of its own.

let tally = new Tally();
let endsAt = 0;

function open(load: Load): Connection[] {
  const { requests, connections, count, perSecond } = load;
  const bytes = requests.map((request) => Buffer.from(request, 'latin1'));
  const ports = [load.port].flat();
  const everyMs = perSecond === undefined ? 0 : (connections * 1_000) / perSecond;
  let sent = connections;
  return Array.from({ length: connections }, (_, first) => {
    const port = ports[first % ports.length] ?? 0;
    return new Connection(port, bytes, first, ({ status, dueAt, now }) => {
      tally.record(status, now - dueAt);
      sent += 1;
      const nextAt = everyMs === 0 ? now : dueAt + everyMs;
      return sent <= count && Math.max(now, nextAt) < endsAt ? nextAt : undefined;
    });
  });
}

async function run(load: Load): Promise<LoadResult> {
  const { seconds, perSecond } = load;
  const clients = open(load);
  await Promise.all(clients.map((client) => client.opened()));
  const cpuBefore = process.cpuUsage();
  tally = new Tally();
  const startedAt = performance.now();
  endsAt = startedAt + seconds * 1_000;
  const laterMs = perSecond === undefined ? 0 : 1_000 / perSecond;
  await Promise.all(clients.map((client, nth) => client.run(startedAt + nth * laterMs)));
  const counted = tally.whole();
  const { user, system } = process.cpuUsage(cpuBefore);
  for (const client of clients) client.close();
  return { ...counted, cpuUs: user + system };
}

const part = (): Counted => tally.part();

function enough(): void {
  endsAt = 0;
}

answerParent({ run, part, enough });
