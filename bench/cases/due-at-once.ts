import { setTimeout as sleep } from 'node:timers/promises';
import { dueKey } from '../../src/redis/keys.ts';
import { AuditFailed, type Bench } from '../contenders/contender.ts';
import { Holdfast } from '../contenders/holdfast.ts';
import { postRequest } from '../load/generator.ts';
import { takeHolds } from '../load/take.ts';
import type { Counted } from '../load/tally.ts';
import { oneDigit, type Report, twoDigits, whole } from '../report.ts';
import { median, type Plan } from '../rounds.ts';
import { type Case, scaled } from './case.ts';

const HOLDS = 100_000;
const PLENTY = 1_000_000_000;
/** Holds of the other product, while nothing is due and while all is. */
const PACED_PER_SECOND = 1_000;
const BACK_SECONDS_MAX = 3;
const P99_MS_MAX = 25;
const WARM_UP = 10_000;
/** How much slower than in the warm-up holds may be taken. */
const SLOWER = 2;
/** Of a second, for what is still in flight at its end. */
const ROOM_MS_MIN = 100;
/** Left over when all are held; the other product is sold meanwhile. */
const SPARE_MS = 4_000;
const LANE = 0;

interface Round {
  /** Of the deadlines: within how long, and how many in one second. */
  withinMs: number;
  busiest: number;
  /** From the last deadline until all units are back. */
  backMs: number;
  before: Counted;
  meanwhile: Counted;
}

function busiestSecond(sorted: readonly number[]): number {
  let [from, most] = [0, 0];
  for (const [to, at] of sorted.entries()) {
    while (at - (sorted[from] ?? at) >= 1_000) from += 1;
    most = Math.max(most, to - from + 1);
  }
  return most;
}

class DueAtOnce {
  readonly #bench: Bench;
  readonly #subject: Holdfast;
  readonly #connections: number;
  readonly #count: number;
  readonly #warmUp: number;
  readonly #otherId: number;
  #perHoldMs = 0;
  #others = 0;

  constructor(bench: Bench, subject: Holdfast, plan: Plan, otherId: number) {
    this.#bench = bench;
    this.#subject = subject;
    this.#connections = plan.connections;
    this.#count = scaled(HOLDS, plan);
    this.#warmUp = scaled(WARM_UP, plan);
    this.#otherId = otherId;
  }

  async warmUp(): Promise<void> {
    const { elapsedMs, answers } = await this.#take(this.#otherId, { count: this.#warmUp });
    this.#others += answers;
    this.#perHoldMs = elapsedMs / answers;
  }

  async round(): Promise<Round> {
    const productId = await this.#subject.createProduct(this.#count);
    const deadlines = await this.#stage(productId);
    const [firstMs = 0, lastMs = 0] = [deadlines[0], deadlines.at(-1)];
    const selling = this.#bench.generator.run({
      port: this.#subject.port,
      requests: [postRequest('/api/holds', { product_id: this.#otherId, qty: 1 })],
      connections: this.#connections,
      perSecond: PACED_PER_SECOND,
    });
    await sleep(firstMs - Date.now());
    const before = await this.#bench.generator.part();
    await this.#subject.untilBack(productId);
    const backMs = Date.now() - lastMs;
    const meanwhile = await this.#bench.generator.part();
    await this.#bench.generator.enough();
    const { statuses, answers } = await selling;
    if (statuses[201] !== answers) throw new AuditFailed(`holds: ${JSON.stringify(statuses)}`);
    this.#others += answers;
    await this.#subject.settle();
    const granted = { holds: this.#count, expired: this.#count };
    await this.#subject.audit(productId, this.#count, granted);
    await this.#subject.audit(this.#otherId, PLENTY, { holds: this.#others });
    const busiest = busiestSecond(deadlines);
    return { withinMs: lastMs - firstMs, busiest, backMs, before, meanwhile };
  }

  #take(productId: number, load: { count: number; seconds?: number }) {
    const { port } = this.#subject;
    return takeHolds(this.#bench, port, productId, { connections: this.#connections, ...load });
  }

  // Takes holds that all end within a second of this moment, however long it takes to take them all.
  async #takeUntil(productId: number, dueAtMs: number): Promise<void> {
    const secondsLeft = () => Math.round((dueAtMs - Date.now()) / 1_000);
    for (let left = this.#count; left > 0; ) {
      const ttlSeconds = secondsLeft();
      if (ttlSeconds < 1) throw new Error(`${left} of ${this.#count} holds were taken too late`);
      await this.#subject.changeRules(productId, { hold_ttl_seconds: ttlSeconds });
      // Until the whole number of seconds changes.
      const roomMs = (dueAtMs - Date.now() + 500) % 1_000;
      if (secondsLeft() !== ttlSeconds || roomMs < ROOM_MS_MIN) {
        await sleep(roomMs);
        continue;
      }
      const seconds = (roomMs - ROOM_MS_MIN) / 1_000;
      left -= (await this.#take(productId, { count: left, seconds })).answers;
    }
  }

  // The deadlines, sorted; all of them are yet to come.
  async #stage(productId: number): Promise<number[]> {
    const takesMs = Math.ceil(this.#count * this.#perHoldMs * SLOWER);
    const dueAtMs = Date.now() + takesMs + SPARE_MS;
    await this.#takeUntil(productId, dueAtMs);
    await this.#subject.settle();
    const { redis } = this.#subject.stores;
    const key = dueKey(LANE);
    // Those of the other product are due much later.
    const found = await redis.zrangebyscore(key, '-inf', dueAtMs + takesMs, 'WITHSCORES');
    const deadlines = found.filter((_, index) => index % 2 === 1).map(Number);
    if (deadlines.length !== this.#count || (deadlines[0] ?? 0) <= Date.now()) {
      throw new Error(`only ${deadlines.length} of ${this.#count} holds are due later`);
    }
    return deadlines;
  }
}

function reportOf(rounds: Round[], plan: Plan): Report {
  const row = (what: string, show: (value: number) => string, figure: (it: Round) => number) => {
    const figures = rounds.map(figure);
    return [what, show(median(figures)), show(Math.max(...figures))];
  };
  const middle = (figure: (round: Round) => number) => median(rounds.map(figure));
  const backS = ({ backMs }: Round) => backMs / 1_000;
  const plural = rounds.length === 1 ? 'round' : 'rounds';
  return {
    title: 'All due at once',
    notes: [
      `${whole(scaled(HOLDS, plan))} holds of one product, ` +
        `${whole(middle((it) => it.busiest))} of them due in the same second and all ` +
        `within ${whole(middle((it) => it.withinMs))} ms; ${rounds.length} ${plural}. ` +
        'Meanwhile, from the first deadline until all units are back, and for some seconds ' +
        `before, ${plan.connections} paced clients take ${whole(PACED_PER_SECOND)} holds a second of ` +
        'another product; the latency of a hold begins when it is due to be sent.',
    ],
    head: ['', 'median', 'worst'],
    rows: [
      row('from the last deadline until all units are back, s', twoDigits, backS),
      row('other holds before, p50 ms', oneDigit, (it) => it.before.p50Ms),
      row('other holds before, p99 ms', oneDigit, (it) => it.before.p99Ms),
      row('other holds meanwhile, p50 ms', oneDigit, (it) => it.meanwhile.p50Ms),
      row('other holds meanwhile, p99 ms', oneDigit, (it) => it.meanwhile.p99Ms),
    ],
    targets: [
      {
        what: 'from the last deadline until all units are back',
        measured: middle(backS),
        atMost: BACK_SECONDS_MAX,
        unit: 's',
      },
      {
        what: 'other holds meanwhile, p99',
        measured: middle((it) => it.meanwhile.p99Ms),
        atMost: P99_MS_MAX,
        unit: 'ms',
      },
    ],
    json: rounds,
  };
}

/** Whether a crowd of deadlines comes back soon, and leaves other buyers alone. */
export const dueAtOnce: Case = {
  name: 'due-at-once',
  what: `${whole(HOLDS)} holds are due in the same second, and others go on`,
  isLong: true,
  run: async (bench, plan, say) => {
    const subject = await Holdfast.open(bench, { roles: 'together' });
    try {
      const otherId = await subject.createProduct(PLENTY);
      const dueAtOnce = new DueAtOnce(bench, subject, plan, otherId);
      await dueAtOnce.warmUp();
      const rounds: Round[] = [];
      while (rounds.length < plan.rounds) {
        const round = await dueAtOnce.round();
        say(`${whole(round.busiest)} due in one second, all back ${whole(round.backMs)} ms after`);
        rounds.push(round);
      }
      return reportOf(rounds, plan);
    } finally {
      await subject.close();
    }
  },
};
