import { readFileSync } from 'node:fs';
import type { PaymentStatus } from '../../src/domain/outcomes.ts';

// docs/payments.md, read as a machine: what must become of an order by the events that it meets.

const STATUSES = ['success', 'failed', 'refunded'] as const;

/** A cell of the table: what becomes of the event, and of the order. */
interface Cell {
  outcome: string;
  becomes: string | undefined;
}

function readTable(): Map<string, Cell> {
  const text = readFileSync(new URL('../../docs/payments.md', import.meta.url), 'utf8');
  const rows = text.split('\n').filter((line) => line.startsWith('|'));
  const cells = new Map<string, Cell>();
  for (const row of rows.slice(2)) {
    const [state = '', ...texts] = row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim());
    for (const [index, status] of STATUSES.entries()) {
      const [outcome = '', becomes] = (texts[index] ?? '').split(': ');
      cells.set(`${state}/${status}`, { outcome, becomes });
    }
  }
  if (cells.size !== 21) throw new Error(`docs/payments.md has ${cells.size} cells, not 21`);
  return cells;
}

const TABLE = readTable();

/** A payment event, and what became of it: undefined while it waits. */
export interface Told {
  name: string;
  status: PaymentStatus;
  outcome: string | undefined;
}

/** An order as the table wants it. */
export class ExpectedOrder {
  state = 'not there yet';
  settledBy = '';
  readonly events: Told[] = [];
  /** Payments whose money waits to go back, the oldest first. */
  readonly due: string[] = [];
  #areUnitsLeft = true;

  #row(): string {
    if (this.state !== 'cancelled' && this.state !== 'expired') return this.state;
    return `cancelled or expired, units ${this.#areUnitsLeft ? 'left' : 'gone'}`;
  }

  appear(): void {
    this.state = 'pending';
  }

  /** By its buyer. */
  cancel(): void {
    if (this.state === 'pending') this.#become('cancelled');
  }

  /** Somebody else takes every unit that is left. */
  takeUnits(): void {
    this.#areUnitsLeft = false;
  }

  /** An event is received; what waits acts before it. `dies` says after which step of its own. */
  tell(name: string, status: PaymentStatus, dies?: 'receipt' | 'script'): void {
    const event: Told = { name, status, outcome: undefined };
    this.settleWaiting();
    this.events.push(event);
    if (dies === 'receipt') return;
    this.#settle(event);
    if (dies === undefined) this.#settleRefundsBefore(event);
  }

  /** Everything that waits acts, as far as it can, in the order in which it was received. */
  settleWaiting(): void {
    for (const event of this.events) {
      if (event.outcome !== undefined) continue;
      this.#settle(event);
      this.#settleRefundsBefore(event);
    }
  }

  // Units that come back after others were taken are there again.
  #become(state: string): void {
    const gaveBack = state === 'cancelled' || state === 'expired';
    if (gaveBack) this.#areUnitsLeft = true;
    this.state = state;
  }

  #settle(event: Told): void {
    const { outcome, becomes } = TABLE.get(`${this.#row()}/${event.status}`) ?? {};
    if (outcome === undefined) throw new Error(`the table has no ${this.#row()}/${event.status}`);
    if (event.status === 'refunded' && this.due.length > 0) {
      const [first] = this.due.splice(0, 1);
      event.outcome = 'applied';
      if (first === this.settledBy && this.state === 'refund_due') this.state = 'refunded';
      return;
    }
    if (outcome === 'waits') return;
    event.outcome = outcome;
    if (outcome === 'refund_due') this.due.push(event.name);
    if (becomes !== undefined) {
      if (event.status !== 'refunded') this.settledBy = event.name;
      this.#become(becomes);
    }
  }

  // Refunds that came before the payment that they give back.
  #settleRefundsBefore(payment: Told): void {
    if (payment.status !== 'success') return;
    for (const event of this.events.slice(0, this.events.indexOf(payment))) {
      if (event.outcome === undefined && event.status === 'refunded') this.#settle(event);
    }
  }
}
