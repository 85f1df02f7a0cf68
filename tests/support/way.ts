import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

type Mode = 'pass' | 'mute' | 'stall' | 'refuse';

/** The way to a server, which can be troubled. */
export interface Way {
  url: string;
  /**
   * `mute`: requests arrive, answers wait until it is `pass` again. `stall`: nothing gets through
   * till then. `refuse`: new connections are closed at once.
   */
  set: (mode: Mode) => void;
  /** Connections of now go silent for good, and nobody is told; new ones work. */
  swallow: () => void;
  /** Breaks every connection; what was waiting is lost. */
  cut: () => void;
  /** From now on every request, and every answer, is under way for so long; 0 ends that. */
  delay: (ms: number) => void;
  /**
   * Lets the next request that contains all these texts pass, loses its answer and breaks its
   * connection. Resolves once that has happened.
   */
  loseAnswerTo: (...texts: string[]) => Promise<void>;
  /** New connections go to another server. */
  aim: (target: string) => void;
  close: () => Promise<void>;
}

/** Stands between a process and the server at `target`. */
export async function startWay(target: string): Promise<Way> {
  const url = new URL(target);
  let { hostname: host, port } = url;
  const sockets = new Set<Socket>();
  const swallowed = new WeakSet<Socket>();
  const waiting = new Set<() => void>();
  let mode: Mode = 'pass';
  let delayMs = 0;
  let loss: { texts: string[]; happened: () => void } | undefined;
  /** Upstream connections whose next answer is lost, and who waits for that. */
  const losing = new Map<Socket, () => void>();

  const forward = (from: Socket, to: Socket, isAnswer: boolean) => {
    sockets.add(from);
    const kept: Buffer[] = [];
    let underWay = 0;
    const isSwallowed = () => swallowed.has(from) || swallowed.has(to);
    const flush = () => {
      for (const chunk of kept.splice(0)) to.write(chunk);
    };
    const deliver = (chunk: Buffer) => {
      if (mode === 'stall' || (mode === 'mute' && isAnswer)) kept.push(chunk);
      else to.write(chunk);
    };
    // One after the other, also when the delay ends while some are under way.
    let last: Promise<void> = Promise.resolve();
    const deliverLater = (chunk: Buffer) => {
      underWay += 1;
      const arrivesAt = performance.now() + delayMs;
      last = last.then(async () => {
        await pause(Math.max(0, arrivesAt - performance.now()));
        underWay -= 1;
        if (!to.destroyed) deliver(chunk);
      });
    };
    waiting.add(flush);
    from.on('data', (chunk) => {
      if (isSwallowed()) return;
      if (!isAnswer && loss?.texts.every((text) => chunk.includes(text))) {
        losing.set(to, loss.happened);
        loss = undefined;
      }
      const lost = isAnswer && losing.get(from);
      if (lost) {
        losing.delete(from);
        from.destroy();
        lost();
        return;
      }
      if (delayMs > 0 || underWay > 0) deliverLater(chunk);
      else deliver(chunk);
    });
    from.on('error', () => {});
    from.on('close', () => {
      sockets.delete(from);
      waiting.delete(flush);
      to.destroy();
    });
  };

  const server = createServer((client) => {
    if (mode === 'refuse') {
      client.destroy();
      return;
    }
    const upstream = connect(Number(port), host);
    forward(client, upstream, false);
    forward(upstream, client, true);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url.hostname = '127.0.0.1';
  url.port = String((server.address() as AddressInfo).port);
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: url.href,
    set: (next) => {
      mode = next;
      if (mode === 'pass') for (const flush of waiting) flush();
    },
    swallow: () => {
      for (const socket of sockets) swallowed.add(socket);
    },
    aim: (next) => {
      ({ hostname: host, port } = new URL(next));
    },
    cut,
    delay: (ms) => {
      delayMs = ms;
    },
    loseAnswerTo: (...texts) =>
      new Promise((happened) => {
        loss = { texts, happened };
      }),
    close: async () => {
      cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
