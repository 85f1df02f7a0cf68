import { Agent, type IncomingMessage, request as send } from 'node:http';
import type { Attempt, Body, Operation, Outcome, Request } from './history.ts';

const CLIENT_TIMEOUT_MS = 5_000;
export const ADMIN_TOKEN = 'fault-runs-only';

interface Call {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  path: string;
  body?: unknown;
  headers?: Record<string, string>;
}

/** The HTTP call of a request. */
export function callOf(request: Request): Call {
  switch (request.kind) {
    case 'hold': {
      const { items, buyer, key } = request;
      const [only] = items;
      const body = items.length === 1 ? { ...only, buyer } : { items, buyer };
      return { method: 'POST', path: '/api/holds', body, headers: keyed(key) };
    }
    case 'order': {
      const { hold_id, key } = request;
      return { method: 'POST', path: '/api/orders', body: { hold_id }, headers: keyed(key) };
    }
    case 'extend':
      return { method: 'POST', path: `/api/holds/${request.hold_id}/extend` };
    case 'release':
      return { method: 'DELETE', path: `/api/holds/${request.hold_id}` };
    case 'cancel':
      return { method: 'DELETE', path: `/api/orders/${request.order_id}` };
    case 'pay': {
      const { kind: _, ...body } = request;
      return { method: 'POST', path: '/api/payments/webhook', body };
    }
    case 'restock': {
      const { product_id, delta, key } = request;
      const headers = { authorization: `Bearer ${ADMIN_TOKEN}` };
      const path = `/api/admin/products/${product_id}/stock`;
      return { method: 'POST', path, body: { delta, key }, headers };
    }
    case 'read':
      return { method: 'GET', path: request.path };
  }
}

const keyed = (key: string | undefined): Record<string, string> =>
  key === undefined ? {} : { 'idempotency-key': key };

interface Answer {
  status: number;
  body: Body;
}

async function textOf(response: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += chunk;
  return text;
}

/** Whether the answer says what happened. 5xx never does. */
export function outcomeOfStatus(status: number): Outcome {
  if (status >= 200 && status < 300) return 'ok';
  return status >= 400 && status < 500 ? 'refused' : 'unknown';
}

/** The engine as clients see it: over HTTP, on connections kept alive, with a timeout of their own. */
export class Shop {
  readonly #agent: Agent;

  constructor(connections: number) {
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections, scheduling: 'lifo' });
  }

  /** Sends the request once and adds what came of it to the operation. Never throws. */
  async attempt(operation: Operation, url: string): Promise<Attempt> {
    const invokedAtMs = Date.now();
    const attempt: Attempt = {
      ...{ invokedAtMs, endedAtMs: Number.POSITIVE_INFINITY, url },
      ...{ status: 0, outcome: 'unknown' as const, body: {} },
    };
    operation.attempts.push(attempt);
    try {
      const { status, body } = await this.call(url, callOf(operation.request));
      Object.assign(attempt, { status, body, outcome: outcomeOfStatus(status) });
    } catch (error) {
      attempt.error = (error as Error).message;
    }
    attempt.endedAtMs = Date.now();
    return attempt;
  }

  /** The answer to one call, whatever it says. Throws when none comes. */
  call(url: string, { method, path, body, headers = {} }: Call): Promise<Answer> {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const length = text === undefined ? {} : { 'content-length': Buffer.byteLength(text) };
    const type = text === undefined ? {} : { 'content-type': 'application/json' };
    return new Promise((resolve, reject) => {
      const options = { method, agent: this.#agent, headers: { ...type, ...length, ...headers } };
      const sending = send(url + path, options, (response) => {
        textOf(response).then(
          (answer) => resolve({ status: response.statusCode ?? 0, body: parse(answer) }),
          reject,
        );
      });
      // One timer for the whole exchange: a socket's own timeout starts again with every byte.
      const timer = setTimeout(
        () => sending.destroy(new Error('no answer in time')),
        CLIENT_TIMEOUT_MS,
      );
      sending.on('close', () => clearTimeout(timer));
      sending.on('error', (error) => {
        const again = sending.reusedSocket ? ' on a kept connection' : '';
        reject(new Error(`${error.message}${again}`));
      });
      sending.end(text);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

function parse(text: string): Body {
  try {
    return JSON.parse(text) as Body;
  } catch {
    return {};
  }
}
