import { createServer, type OutgoingHttpHeaders, type Server, ServerResponse } from 'node:http';
import { type AddressInfo, Server as NetServer, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { getRequestListener, RequestError } from '@hono/node-server';
import type { OpenAPIHono } from '@hono/zod-openapi';
import { connectionsMax, cutOffSlowReaders } from './connections.ts';
import { problemDocument, UNAVAILABLE_DETAIL } from './problems.ts';

const TIMEOUTS = {
  /** For a request with its body, which has 64 KiB at most. */
  requestMs: 15_000,
  /** For its head; also for a connection that has not said anything yet. */
  headersMs: 10_000,
  /** Longer than the idle time of the usual load balancers, which are to hang up first. */
  keepAliveMs: 65_000,
  /** For reading the answers. */
  readMs: 60_000,
  /** How often it is looked for connections past one of these. */
  checkMs: 1_000,
};
/** Node's own default, whatever NODE_OPTIONS say. */
const HEAD_BYTES_MAX = 16 * 1024;
/** Connections that wait to be taken; the kernel cuts it to `net.core.somaxconn`. */
const BACKLOG = 4_096;
/** How long requests in flight may take to finish once the server closes. */
const CLOSE_WAIT_MS = 10_000;
const CLOSE_CHECK_MS = 20;
/** How long a closing server lets idle connections be: a request may be on its way on them. */
const IDLE_WAIT_MS = 200;

export interface ListenOptions {
  host: string;
  port: number;
  /** How long a client may take. The head's time is part of the request's. */
  timeouts?: Partial<typeof TIMEOUTS>;
  /** Connections at once; one more is closed at once. */
  connectionsMax?: number;
}

/** A server that takes requests. */
export interface Listening {
  port: number;
  url: string;
  /**
   * Takes no more connections, and resolves once all requests in flight are answered. Each answer
   * tells its client that the connection ends. Event streams end at once, so that their listeners
   * go elsewhere.
   */
  close(): Promise<void>;
}

// What never became a request of the app: a target or a Host that cannot be read.
function answerUnreadable(error: unknown): Response {
  const readable = !(error instanceof RequestError);
  const code = readable ? 'unavailable' : 'bad_request';
  const detail = readable ? UNAVAILABLE_DETAIL : 'The request target or Host is not readable.';
  const headers: Record<string, string> = { 'Content-Type': 'application/problem+json' };
  if (readable) headers['Retry-After'] = '1';
  return new Response(JSON.stringify(problemDocument(code, '/', { detail })), {
    status: readable ? 503 : 400,
    headers,
  });
}

function started(server: Server, { host, port }: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const inUse = `Port ${port} on ${host} is in use: set PORT to a free one`;
      const other = `Cannot listen on ${host} port ${port}: ${error.message}`;
      reject(new Error(error.code === 'EADDRINUSE' ? inUse : other, { cause: error }));
    });
    server.listen({ port, host, backlog: BACKLOG }, resolve);
  });
}

/** Whether an answer goes on until somebody ends it. */
function isEventStream(headers: unknown): boolean {
  const told = (headers ?? {}) as OutgoingHttpHeaders;
  return String(told['Content-Type'] ?? told['content-type']).startsWith('text/event-stream');
}

interface Open {
  sockets: ReadonlySet<Socket>;
  streams: ReadonlySet<ServerResponse>;
}

async function closed(server: Server, { sockets, streams }: Open): Promise<void> {
  const ended = new Promise<void>((resolve) => server.once('close', () => resolve()));
  // Takes no more connections, and leaves those alone that are there.
  NetServer.prototype.close.call(server);
  const endStreams = () => {
    for (const stream of streams) stream.end();
  };
  endStreams();
  await Promise.race([ended, pause(IDLE_WAIT_MS)]);
  // Browsers connect ahead of their requests; to Node such a connection is not idle.
  for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
  server.close();
  const idle = setInterval(() => {
    // Those that have begun meanwhile.
    endStreams();
    server.closeIdleConnections();
  }, CLOSE_CHECK_MS);
  const bound = setTimeout(() => server.closeAllConnections(), CLOSE_WAIT_MS);
  try {
    await ended;
  } finally {
    clearInterval(idle);
    clearTimeout(bound);
  }
}

/**
 * Serves the app on a port; 0 takes a free one. Rejects with a message for people where it cannot.
 * A client that sends or reads slowly, or not at all, is cut off in bounded time (Node says `408`,
 * and `431` to a head over 16 KiB), and there are never more connections than files left for them.
 */
export async function listen(
  app: Pick<OpenAPIHono, 'fetch'>,
  options: ListenOptions,
): Promise<Listening> {
  const { host } = options;
  const listener = getRequestListener(app.fetch, {
    hostname: host,
    errorHandler: answerUnreadable,
  });
  const timeouts = { ...TIMEOUTS, ...options.timeouts };
  let closing: Promise<void> | undefined;
  const sockets = new Set<Socket>();
  const streams = new Set<ServerResponse>();
  class Answer extends ServerResponse {
    override writeHead(status: number, ...rest: unknown[]): this {
      // Node itself then says `Connection: close`.
      if (closing) this.shouldKeepAlive = false;
      if (isEventStream(rest.at(-1))) {
        streams.add(this);
        this.once('close', () => streams.delete(this));
      }
      return super.writeHead(status, ...(rest as [OutgoingHttpHeaders?]));
    }
  }
  const limits = {
    requestTimeout: timeouts.requestMs,
    headersTimeout: timeouts.headersMs,
    keepAliveTimeout: timeouts.keepAliveMs,
    connectionsCheckingInterval: timeouts.checkMs,
    maxHeaderSize: HEAD_BYTES_MAX,
  };
  const server = createServer({ ...limits, ServerResponse: Answer }, listener);
  // By default Node drops what comes after the 1000th line: the length of the body may be there, or
  // what the proxy says. So many as fit in a head.
  server.maxHeadersCount = 0;
  server.maxConnections = options.connectionsMax ?? connectionsMax();
  await started(server, options);
  cutOffSlowReaders(server, timeouts);
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  const { port: bound } = server.address() as AddressInfo;
  const name = host.includes(':') ? `[${host}]` : host;
  return {
    port: bound,
    url: `http://${name}:${bound}`,
    close: () => {
      closing ??= closed(server, { sockets, streams });
      return closing;
    },
  };
}
