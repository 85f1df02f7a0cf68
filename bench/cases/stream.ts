import { setTimeout as sleep } from 'node:timers/promises';
import { ADMIN_TOKEN } from '../api/settings.ts';
import { AuditFailed, type Bench } from '../contenders/contender.ts';
import { Holdfast } from '../contenders/holdfast.ts';
import type { Usage } from '../ipc.ts';
import { postRequest } from '../load/generator.ts';
import { type Heard, Listeners, nameOf } from '../load/listeners.ts';
import { oneDigit, twoDigits, whole } from '../report.ts';
import { median, type Plan } from '../rounds.ts';
import type { Case } from './case.ts';

const PLENTY = 1_000_000_000;
/** A change in each look at the product. */
const HOLD_EVERY_MS = 100;
/** How often a change is timed. */
const PROBE_EVERY_MS = 500;
const EVENTS_PER_SECOND_MAX = 4;
const DELAY_MS_MAX = 500;
const TOLD_MS_MAX = 10_000;

/** One round. */
interface Round {
  alonePerSecond: number;
  besidePerSecond: number;
  steady: Heard & { apiUs: number };
  busy: Heard;
}

interface Memory {
  heapBytes: number;
  rssBytes: number;
}

class Sale {
  readonly #bench: Bench;
  readonly #plan: Plan;
  readonly #subject: Holdfast;
  readonly #listeners: Listeners;
  readonly #id: number;

  constructor(bench: Bench, plan: Plan, subject: Holdfast, listeners: Listeners, id: number) {
    this.#bench = bench;
    this.#plan = plan;
    this.#subject = subject;
    this.#listeners = listeners;
    this.#id = id;
  }

  async round(): Promise<Round> {
    const alonePerSecond = await this.#sell();
    await this.open();
    let cpuUs = 0;
    const steady = await this.#hear(async () => {
      const before = await this.#subject.api.usage();
      await this.#sellSlowly();
      cpuUs = (await this.#subject.api.usage()).cpuUs - before.cpuUs;
    });
    const apiUs = cpuUs / steady.events;
    let besidePerSecond = 0;
    const busy = await this.#hear(async () => {
      besidePerSecond = await this.#sell();
    });
    await this.#listeners.close();
    return { alonePerSecond, besidePerSecond, steady: { ...steady, apiUs }, busy };
  }

  /** What a listener adds to the process. */
  async memory(): Promise<Memory> {
    const before = await this.#subject.api.ask<Usage>('collectGarbage');
    await this.open();
    const after = await this.#subject.api.ask<Usage>('collectGarbage');
    await this.#listeners.close();
    const each = (name: keyof Memory) => (after[name] - before[name]) / this.#plan.listeners;
    return { heapBytes: each('heapBytes'), rssBytes: each('rssBytes') };
  }

  open(): Promise<void> {
    const { port } = this.#subject;
    const path = `/api/products/${this.#id}/stream`;
    return this.#listeners.open({ port, path, count: this.#plan.listeners });
  }

  // Holds as fast as they go; how many a second.
  async #sell(): Promise<number> {
    const { connections, seconds } = this.#plan;
    const requests = [postRequest('/api/holds', { product_id: this.#id, qty: 1 })];
    const load = { port: this.#subject.port, requests, connections, seconds };
    const { answers, statuses, elapsedMs } = await this.#bench.generator.run(load);
    if (statuses[201] !== answers) throw new AuditFailed(`holds: ${JSON.stringify(statuses)}`);
    await this.#subject.settle();
    return (answers * 1_000) / elapsedMs;
  }

  async #sellSlowly(): Promise<void> {
    const until = performance.now() + this.#plan.seconds * 1_000;
    while (performance.now() < until) {
      await this.#ask('POST', '/api/holds', { product_id: this.#id, qty: 1 }, 201);
      await sleep(HOLD_EVERY_MS);
    }
  }

  // What is heard meanwhile; and in the end everybody knows the last change.
  async #hear(work: () => Promise<void>): Promise<Heard> {
    await this.#listeners.reset();
    let isOver = false;
    const working = async () => {
      await work();
      return this.#listeners.heard();
    };
    const probing = async () => {
      while (!isOver) {
        await this.#change();
        await sleep(PROBE_EVERY_MS);
      }
    };
    const over = () => {
      isOver = true;
    };
    const [heard] = await Promise.all([working().finally(over), probing()]);
    const changedAtMs = await this.#change();
    const giveUpAt = performance.now() + TOLD_MS_MAX;
    for (;;) {
      const told = await this.#listeners.know(changedAtMs);
      if (told === this.#plan.listeners) return heard;
      if (performance.now() > giveUpAt) throw new AuditFailed(`${told} were told the last change`);
      await sleep(50);
    }
  }

  async #change(): Promise<number> {
    const changedAtMs = Date.now();
    await this.#ask('PATCH', `/api/admin/products/${this.#id}`, { name: nameOf(changedAtMs) }, 200);
    return changedAtMs;
  }

  async #ask(method: string, path: string, body: object, expected: number): Promise<void> {
    const headers = {
      authorization: `Bearer ${ADMIN_TOKEN}`,
      'content-type': 'application/json',
    };
    const url = `http://127.0.0.1:${this.#subject.port}${path}`;
    const answer = await fetch(url, { method, headers, body: JSON.stringify(body) });
    const text = await answer.text();
    if (answer.status !== expected) throw new AuditFailed(`${method} ${path}: ${text}`);
  }
}

function reportOf(rounds: Round[], memory: Memory, { listeners, seconds, connections }: Plan) {
  const middle = (figure: (round: Round) => number) => median(rounds.map(figure));
  const perSecond = ({ events, elapsedMs }: Heard) => (events * 1_000) / elapsedMs;
  const of = (heard: (round: Round) => Heard) => [
    whole(middle((it) => perSecond(heard(it)))),
    whole(middle((it) => heard(it).p50Ms)),
    whole(middle((it) => heard(it).p99Ms)),
  ];
  const kib = (bytes: number) => oneDigit(bytes / 1_024);
  const ratio = middle((it) => it.besidePerSecond / it.alonePerSecond);
  const plural = rounds.length === 1 ? 'round' : 'rounds';
  return {
    title: 'Listeners to live stock',
    notes: [
      `${whole(listeners)} listeners to one product on one process, in one more process beside the ` +
        `generator; medians of ${rounds.length} ${plural} of ${seconds} s each. Slowly: a hold every ` +
        `${HOLD_EVERY_MS} ms, so that each look finds a change. Full speed: ${connections} connections. ` +
        'Delay: from asking for a change of the name, which is committed in MySQL first, until each ' +
        `listener has it. A listener adds ${kib(memory.heapBytes)} KiB to the heap and ` +
        `${kib(memory.rssBytes)} KiB to the resident memory of the API process.`,
    ],
    head: ['', 'events/s', 'p50 ms', 'p99 ms', 'API CPU us', 'holds/s', 'x alone'],
    rows: [
      ['full speed, nobody listens', '', '', '', '', whole(middle((it) => it.alonePerSecond)), ''],
      ['slowly', ...of((it) => it.steady), oneDigit(middle((it) => it.steady.apiUs)), '', ''],
      [
        'full speed',
        ...of((it) => it.busy),
        '',
        whole(middle((it) => it.besidePerSecond)),
        twoDigits(ratio),
      ],
    ],
    targets: [
      {
        what: 'events of a slow sale',
        measured: middle((it) => perSecond(it.steady)),
        // A round begins and ends somewhere between two looks.
        atLeast: Math.round(0.9 * EVENTS_PER_SECOND_MAX * listeners),
        unit: 'a second',
      },
      {
        what: 'delay of a slow sale, p99',
        measured: middle((it) => it.steady.p99Ms),
        atMost: DELAY_MS_MAX,
        unit: 'ms',
      },
    ],
    json: { listeners, rounds, memory },
  };
}

/** What it costs to tell a crowd the stock of a product while it is sold. */
export const stream: Case = {
  name: 'stream',
  what: 'listeners to live stock, and a sale beside them',
  run: async (bench, plan) => {
    const subject = await Holdfast.open(bench, { roles: 'together' });
    const listeners = new Listeners();
    try {
      const id = await subject.createProduct(PLENTY);
      const sale = new Sale(bench, plan, subject, listeners, id);
      // Before anything else has made room in the process.
      const memory = await sale.memory();
      await sale.round();
      const rounds: Round[] = [];
      while (rounds.length < plan.rounds) rounds.push(await sale.round());
      return reportOf(rounds, memory, plan);
    } finally {
      await listeners.stop();
      await subject.close();
    }
  },
};
