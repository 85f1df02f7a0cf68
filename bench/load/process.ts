import { answerParent } from '../ipc.ts';
import { Connection, type Due } from './connection.ts';
import type { Load, LoadResult } from './generator.ts';
import { type Counted, Tally } from './tally.ts';

// The load generator, a process of its own.

let tally = new Tally();
let endsAt = 0;

/** One line of requests for all connections; whoever is free takes the next. */
function lineUp(load: Load, requests: readonly Buffer[], startedAt: number) {
  const { count, perSecond } = load;
  let taken = 0;
  return (): Due | undefined => {
    const now = performance.now();
    const dueAt = perSecond === undefined ? now : startedAt + (taken * 1_000) / perSecond;
    const request = requests[taken % requests.length];
    if (!request || taken >= count || Math.max(now, dueAt) >= endsAt) return undefined;
    taken += 1;
    return { request, dueAt };
  };
}

async function run(load: Load): Promise<LoadResult> {
  const { connections, seconds } = load;
  const requests = load.requests.map((request) => Buffer.from(request, 'latin1'));
  const ports = [load.port].flat();
  const clients = Array.from(
    { length: connections },
    (_, nth) => new Connection(ports[nth % ports.length] ?? 0),
  );
  await Promise.all(clients.map((client) => client.opened()));
  const cpuBefore = process.cpuUsage();
  tally = new Tally();
  const startedAt = performance.now();
  endsAt = startedAt + seconds * 1_000;
  const next = lineUp(load, requests, startedAt);
  await Promise.all(clients.map((client) => client.run(next, tally)));
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
