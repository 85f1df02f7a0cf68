import { afterAll, beforeAll, expect, test } from 'vitest';
import { orderId, type ReservationId } from '../../src/domain/ids.ts';
import type { PaymentStatus } from '../../src/domain/outcomes.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { createInbox, type Inbox } from '../../src/payments/inbox.ts';
import { createReceiptSweeper } from '../../src/payments/sweeper.ts';
import { expectBooksBalance } from '../support/books.ts';
import { held } from '../support/buying.ts';
import { makeProduct, seconds, startEngine, type TestEngine } from '../support/engine.ts';
import { captureLog } from '../support/log.ts';
import { ExpectedOrder } from './outcome-table.ts';

// Every order of up to five of the things that can happen to an order, and a crash between any two
// steps of any payment event, against the table in docs/payments.md.

const PAYMENTS: Record<string, PaymentStatus> = {
  paid: 'success',
  'paid again': 'success',
  failed: 'failed',
  refunded: 'refunded',
};
const WITH_CANCEL = ['order', 'cancel', ...Object.keys(PAYMENTS)];
const WITH_TAKEN = ['order', 'taken', ...Object.keys(PAYMENTS)];
const LENGTH_MAX = 5;
/** Of so many orders of events of this length a sample takes one. */
const SAMPLED_EVERY: Record<number, number> = { 4: 3, 5: 7 };
const AT_ONCE = 24;
const ALL = process.env.PERMUTATIONS === 'all';
/** Longer than all of it takes: units that others took must stay taken. */
const HOLD_TTL_MS = 3_600_000;

/** Where a process dies: behind the receipt, or behind the script, before anybody is answered. */
interface Crash {
  event: string;
  after: 'receipt' | 'script';
}

interface Run {
  events: string[];
  crash: Crash | undefined;
}

function permutations(names: readonly string[], length: number): string[][] {
  if (length === 0) return [[]];
  return names.flatMap((name) => {
    const others = names.filter((other) => other !== name);
    return permutations(others, length - 1).map((rest) => [name, ...rest]);
  });
}

function runsOf(names: readonly string[]): Run[] {
  const lengths = Array.from({ length: LENGTH_MAX }, (_, index) => index + 1);
  const orders = lengths.flatMap((length) => permutations(names, length));
  return orders.flatMap((events, index) => {
    // A sample takes some of the longer ones, and one crash of each, another one of the next.
    if (!ALL && index % (SAMPLED_EVERY[events.length] ?? 1) > 0) return [];
    const payments = events.filter((event) => event in PAYMENTS);
    const crashes = payments.flatMap((event): Crash[] => [
      { event, after: 'receipt' },
      { event, after: 'script' },
    ]);
    const one = index % Math.max(1, crashes.length);
    const some = ALL ? crashes : crashes.slice(one, one + 1);
    return [{ events, crash: undefined }, ...some.map((crash) => ({ events, crash }))];
  });
}

class Died extends Error {}

let t: TestEngine;

// A process that dies at one event: what it began stays begun, and nobody is answered.
function dyingInbox({ after }: Crash, reference: string): Inbox {
  const { engine, database } = t;
  const dying: Engine = {
    ...engine,
    settle: async (request, deadline) => {
      if (request.reference !== reference) return engine.settle(request, deadline);
      if (after === 'script') await engine.settle(request, deadline);
      throw new Died('the process is gone');
    },
  };
  return createInbox(dying, database, captureLog().log);
}

beforeAll(async () => {
  // Its own sweeper comes at no moment that a run does not choose.
  t = await startEngine({ openMs: 3_600_000 });
});
afterAll(async () => {
  await expectBooksBalance(t);
  await t.stop();
});

/** One order and all that happens to it. */
class Story {
  readonly #id: ReservationId;
  readonly #product: { id: number };
  readonly #run: Run;
  readonly expected = new ExpectedOrder();

  constructor(id: ReservationId, product: { id: number }, run: Run) {
    this.#id = id;
    this.#product = product;
    this.#run = run;
  }

  #event(name: string) {
    const status = PAYMENTS[name] ?? 'success';
    return {
      orderId: orderId(this.#id),
      reference: `${this.#id}:${name.replace(' ', '-')}`,
      status,
    };
  }

  async tell(name: string): Promise<void> {
    const { crash } = this.#run;
    const event = this.#event(name);
    if (crash?.event === name) {
      const dying = dyingInbox(crash, event.reference).receive(event, seconds(10));
      await expect(dying).rejects.toBeInstanceOf(Died);
    } else await t.inbox.receive(event, seconds(10));
    this.expected.tell(name, event.status, crash?.event === name ? crash.after : undefined);
  }

  async happen(name: string): Promise<void> {
    switch (name) {
      case 'order':
        await t.engine.order(this.#id, '', seconds(10));
        return this.expected.appear();
      case 'cancel':
        if (this.expected.state === 'not there yet') return;
        await t.engine.cancel(this.#id, seconds(10));
        return this.expected.cancel();
      case 'taken': {
        const left = await t.engine.readProduct(this.#product.id, seconds(5));
        if (!left || left.available === 0) return;
        await held(t, this.#product, { qty: left.available });
        return this.expected.takeUnits();
      }
      default:
        return this.tell(name);
    }
  }

  // The provider did not hear of these: it sends them again.
  async redeliver(): Promise<void> {
    for (const name of this.#run.events.filter((event) => event in PAYMENTS)) {
      await t.inbox.receive(this.#event(name), seconds(10));
    }
  }

  async check(): Promise<void> {
    const what = JSON.stringify(this.#run);
    const order = await t.engine.readOrder(this.#id, seconds(5));
    const state = order?.state === 'returned' ? 'refunded' : order?.state;
    expect(state ?? 'not there yet', what).toBe(this.expected.state);
    const due = await t.sql(
      "SELECT reference FROM payment_events WHERE order_id = ? AND outcome = 'refund_due'" +
        ' AND refunded_by IS NULL',
      [orderId(this.#id)],
    );
    const expectedDue = this.expected.due.map((name) => this.#event(name).reference);
    expect(due.map(({ reference }) => reference).sort(), what).toEqual(expectedDue.sort());
    const rows = await t.sql(
      'SELECT reference, outcome FROM payment_events WHERE order_id = ? ORDER BY reference',
      [orderId(this.#id)],
    );
    const expected = this.expected.events
      .map(({ name, outcome }) => ({
        reference: this.#event(name).reference,
        outcome: outcome ?? null,
      }))
      .sort((a, b) => (a.reference < b.reference ? -1 : 1));
    expect(rows, what).toEqual(expected);
  }
}

/** Lets the receipts that were left open act, as the sweeper of another process does. */
async function sweepAll(): Promise<void> {
  const { log } = captureLog();
  const { sweep } = createReceiptSweeper(t.inbox, t.database, log, -1_000);
  const [open] = await t.sql('SELECT COUNT(*) AS count FROM payment_events WHERE outcome IS NULL');
  for (let page = 0; page <= Number(open?.count) / 100; page += 1) await sweep();
}

async function tellStory(run: Run, redelivers: boolean): Promise<Story> {
  const product = await makeProduct(t, { totalStock: 2, holdTtlMs: HOLD_TTL_MS });
  const { id } = await held(t, product);
  const story = new Story(id, product, run);
  for (const event of run.events) await story.happen(event);
  if (redelivers) await story.redeliver();
  return story;
}

async function tellAll(runs: readonly Run[], redelivers: boolean): Promise<Story[]> {
  const stories: Story[] = [];
  const left = [...runs];
  const workers = Array.from({ length: AT_ONCE }, async () => {
    for (let run = left.pop(); run; run = left.pop()) {
      stories.push(await tellStory(run, redelivers));
    }
  });
  await Promise.all(workers);
  return stories;
}

test.each([
  ['its buyer may cancel', WITH_CANCEL, true],
  ['others may take its units', WITH_TAKEN, false],
] as const)(
  'P4, P5: every order of events ends as the table says, where %s',
  async (_, names, redelivers) => {
    const runs = runsOf(names);
    expect(runs.length).toBeGreaterThan(700);
    const stories = await tellAll(runs, redelivers);
    // Redelivery has healed what crashed; without it, the sweeper does.
    if (!redelivers) await sweepAll();
    for (const story of stories) {
      story.expected.settleWaiting();
      await story.check();
    }
    expect(stories).toHaveLength(runs.length);
  },
  900_000,
);
