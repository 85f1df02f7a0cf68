import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { HOLD, HOLD_HEADERS } from './answers.ts';
import type { RunningApi } from './settings.ts';

/** Node's own HTTP server, which reads the body and answers the same bytes: what Node allows. */
export async function startNodeHttp(): Promise<RunningApi> {
  const answer = Buffer.from(JSON.stringify(HOLD));
  const headers = {
    'Content-Type': 'application/json',
    'Content-Length': answer.length,
    ...HOLD_HEADERS,
  };
  const server = createServer((request, response) => {
    request.resume().on('end', () => response.writeHead(201, headers).end(answer));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
