import type { Server, Socket } from 'node:net';

/** Each costs about 10 kB while it is idle: half a gigabyte. */
const CONNECTIONS_MAX = 50_000;
/** Files that are no client's: connections to Redis and MySQL, logs, what Node itself opens. */
const OTHER_FILES = 128;

interface Limits {
  userLimits?: { open_files?: { soft: number | 'unlimited' } };
}

/**
 * How many connections of clients may be open at once: what this process may open (`ulimit -n`; Node
 * raises the soft limit to the hard one), less what it needs to reach its own servers again when
 * they were gone, and 50,000 at most.
 */
export function connectionsMax(): number {
  // Else Node would look the names of all peers up.
  const report = Object.assign(process.report, { excludeNetwork: true });
  const { userLimits } = report.getReport() as Limits;
  const files = Number(userLimits?.open_files?.soft);
  // No number where it is unlimited, or where the system has no such limit.
  if (Number.isNaN(files)) return CONNECTIONS_MAX;
  return Math.max(1, Math.min(CONNECTIONS_MAX, files - OTHER_FILES));
}

/**
 * Cuts off clients that leave something unread for `readMs` on end, whatever they send meanwhile:
 * each would keep a file and an answer's memory. Node has no timeout for them.
 */
export function cutOffSlowReaders(
  server: Server,
  { readMs, checkMs }: { readMs: number; checkMs: number },
): void {
  // Since when something waits to be read; undefined while nothing does.
  const unreadSinceMs = new Map<Socket, number | undefined>();
  server.on('connection', (socket) => {
    unreadSinceMs.set(socket, undefined);
    socket.once('close', () => unreadSinceMs.delete(socket));
  });
  const checking = setInterval(() => {
    const nowMs = performance.now();
    for (const [socket, sinceMs] of unreadSinceMs) {
      const isUnread = socket.writableLength > 0;
      if (isUnread && sinceMs !== undefined) {
        if (nowMs - sinceMs > readMs) socket.destroy();
      } else {
        unreadSinceMs.set(socket, isUnread ? nowMs : undefined);
      }
    }
  }, checkMs);
  server.once('close', () => clearInterval(checking));
}
