// What clients asked for and what they were told: all that the checker knows besides the final state.

export interface Item {
  product_id: number;
  qty: number;
}

/** One thing that a client wants, whatever number of attempts that takes. */
export type Request =
  | { kind: 'hold'; items: Item[]; buyer: string; key?: string }
  | { kind: 'order'; hold_id: string; key?: string }
  | { kind: 'extend'; hold_id: string }
  | { kind: 'release'; hold_id: string }
  | { kind: 'cancel'; order_id: string }
  | { kind: 'pay'; order_id: string; reference: string; status: 'success' | 'failed' }
  | { kind: 'restock'; product_id: number; delta: number; key: string }
  | { kind: 'read'; path: string };

export type Kind = Request['kind'];

/** The fields that are read of any answer's JSON. */
export interface Body {
  code?: string;
  detail?: string;
  hold_id?: string;
  order_id?: string;
  status?: string;
  outcome?: string;
  order_status?: string;
  expires_at?: string;
  pay_by?: string;
  amount?: string;
  items?: Item[];
  available_stock?: number;
  total_stock?: number;
  held?: number;
  pending?: number;
  sold?: number;
  retry_after_ms?: number;
}

/** `unknown`: no answer in time, or one that leaves open whether it happened. */
export type Outcome = 'ok' | 'refused' | 'unknown';

/** One request on its way. Times are milliseconds since 1970, by the clients' clock. */
export interface Attempt {
  invokedAtMs: number;
  endedAtMs: number;
  /** Of the process that was asked. */
  url: string;
  /** 0 when no answer came. */
  status: number;
  outcome: Outcome;
  body: Body;
  /** Why there was no answer. */
  error?: string;
}

export interface Operation {
  id: number;
  /** Who asked: a buyer, the payment provider, ops or the prober. */
  client: string;
  request: Request;
  attempts: Attempt[];
}

export type OperationOf<K extends Kind> = Operation & { request: Extract<Request, { kind: K }> };

/** Everything that was asked, in the order in which it began. */
export class History {
  readonly operations: Operation[] = [];

  begin(client: string, request: Request): Operation {
    const operation = { id: this.operations.length, client, request, attempts: [] };
    this.operations.push(operation);
    return operation;
  }

  of<K extends Kind>(kind: K): OperationOf<K>[] {
    return this.operations.filter(({ request }) => request.kind === kind) as OperationOf<K>[];
  }
}

/** What the client knows in the end: the last attempt that told it something. */
export function answerOf({ attempts }: Operation): Attempt | undefined {
  return attempts.find(({ outcome }) => outcome === 'ok') ?? attempts.findLast(isKnown);
}

export function outcomeOf(operation: Operation): Outcome {
  return answerOf(operation)?.outcome ?? 'unknown';
}

const isKnown = ({ outcome }: Attempt): boolean => outcome !== 'unknown';

export const firstInvoke = ({ attempts }: Operation): number =>
  attempts[0]?.invokedAtMs ?? Number.POSITIVE_INFINITY;

export const lastEnd = ({ attempts }: Operation): number =>
  attempts.at(-1)?.endedAtMs ?? Number.POSITIVE_INFINITY;
