import { randomUUID } from 'node:crypto';
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { Webhook } from 'standardwebhooks';
import { Turnstile } from './turnstile.ts';

const TIMEOUT_MS = 15_000;
/** Requests on their way at once. */
const CONNECTIONS_MAX = 64;

/** What the demo reads of any answer's JSON; the fields of the API's own documents. */
export interface AnswerBody {
  code?: string;
  hold_id?: string;
  order_id?: string;
  status?: string;
  outcome?: string;
  order_status?: string;
  retry_after_ms?: number;
  available_stock?: number;
  held?: number;
  pending?: number;
  sold?: number;
}

export interface Answer {
  /** 0 when none came: then nobody knows what happened. */
  status: number;
  body: AnswerBody;
  /** From sending the request to the end of its answer. */
  ms: number;
}

export interface HoldRequest {
  product_id: number;
  qty: number;
  buyer: string;
}

export interface PaymentEvent {
  order_id: string;
  reference: string;
  status: 'success' | 'failed';
}

interface Call {
  method: string;
  path: string;
  body?: unknown;
  key?: string;
  isSigned?: boolean;
  /** Hangs up so many milliseconds after sending. */
  hangUpMs?: number;
}

const NO_ANSWER = { status: 0, body: {} };

function parse(text: string): AnswerBody {
  try {
    return JSON.parse(text) as AnswerBody;
  } catch {
    return {};
  }
}

async function textOf(response: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += chunk;
  return text;
}

/** The shop as buyers and the payment provider see it: over HTTP, on connections kept alive. */
export class Shop {
  requestCount = 0;
  readonly #base: string;
  readonly #agent: HttpAgent;
  readonly #request: typeof httpRequest;
  readonly #webhook: Webhook | undefined;
  readonly #turnstile = new Turnstile(CONNECTIONS_MAX);

  constructor(url: string, webhookSecret: string | undefined) {
    this.#webhook = webhookSecret === undefined ? undefined : new Webhook(webhookSecret);
    const isTls = url.startsWith('https:');
    this.#base = url.replace(/\/+$/, '');
    // The last one used first: idle ones may be closed by the other side.
    const options = {
      keepAlive: true,
      maxSockets: CONNECTIONS_MAX,
      scheduling: 'lifo' as const,
    };
    this.#agent = isTls ? new HttpsAgent(options) : new HttpAgent(options);
    this.#request = isTls ? httpsRequest : httpRequest;
  }

  takeHold(request: HoldRequest, key: string, hangUpMs?: number): Promise<Answer> {
    const call = { method: 'POST', path: '/api/holds', body: request, key };
    return this.#call('door', hangUpMs === undefined ? call : { ...call, hangUpMs });
  }

  release(holdId: string): Promise<Answer> {
    return this.#call('checkout', { method: 'DELETE', path: `/api/holds/${holdId}` });
  }

  makeOrder(holdId: string, key: string): Promise<Answer> {
    const body = { hold_id: holdId };
    return this.#call('checkout', { method: 'POST', path: '/api/orders', body, key });
  }

  deliver(event: PaymentEvent): Promise<Answer> {
    const path = '/api/payments/webhook';
    return this.#call('checkout', { method: 'POST', path, body: event, isSigned: true });
  }

  product(id: number): Promise<Answer> {
    return this.#call('checkout', { method: 'GET', path: `/api/products/${id}` });
  }

  close(): void {
    this.#agent.destroy();
  }

  async #call(line: 'checkout' | 'door', call: Call): Promise<Answer> {
    await this.#turnstile.enter(line);
    const startedAt = performance.now();
    try {
      const { status, body } = await this.#send(call).catch(() => NO_ANSWER);
      return { status, body, ms: performance.now() - startedAt };
    } finally {
      this.#turnstile.leave();
    }
  }

  // As Standard Webhooks has it; under an id of its own each time, as of another delivery.
  #signatureOf(text: string): Record<string, string> {
    if (!this.#webhook) return {};
    const [id, at] = [`msg_${randomUUID()}`, new Date()];
    return {
      'webhook-id': id,
      'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
      'webhook-signature': this.#webhook.sign(id, at, text),
    };
  }

  #send({ method, path, body, key, isSigned, hangUpMs }: Call): Promise<Omit<Answer, 'ms'>> {
    this.requestCount += 1;
    const text = body === undefined ? undefined : JSON.stringify(body);
    const headers: Record<string, string | number> = {};
    if (text !== undefined) {
      headers['content-type'] = 'application/json';
      headers['content-length'] = Buffer.byteLength(text);
    }
    if (isSigned) Object.assign(headers, this.#signatureOf(text ?? ''));
    if (key !== undefined) headers['idempotency-key'] = key;
    return new Promise((resolve, reject) => {
      const options = { method, headers, agent: this.#agent, timeout: TIMEOUT_MS };
      const sending = this.#request(this.#base + path, options, (response) => {
        textOf(response).then(
          (answer) => resolve({ status: response.statusCode ?? 0, body: parse(answer) }),
          reject,
        );
      });
      sending.on('error', reject);
      sending.on('timeout', () => sending.destroy(new Error('no answer in time')));
      if (hangUpMs !== undefined) {
        const timer = setTimeout(() => sending.destroy(new Error('hung up')), hangUpMs);
        sending.on('close', () => clearTimeout(timer));
      }
      sending.end(text);
    });
  }
}
