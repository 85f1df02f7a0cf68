import type { Bench } from '../contenders/contender.ts';
import { Holdfast } from '../contenders/holdfast.ts';
import { takeHolds } from '../load/take.ts';
import { lineChart } from '../plot.ts';
import { oneDigit, type Report, twoDigits, whole } from '../report.ts';
import { cpuSoFar, median, type Plan } from '../rounds.ts';
import { type Case, scaled } from './case.ts';

const SIZES = [1_000, 10_000, 100_000, 1_000_000];
const PLENTY = 1_000_000_000;
/** Holds that are measured; so few that they change little in how many are live. */
const BURST = 1_000;
/** Longer than two bursts take, so that nothing runs out while one is measured. */
const BURST_TTL_SECONDS = 3;
const BURSTS_PER_ROUND = 4;
const WARM_UP = 100_000;
const CPU_TIMES_MAX = 1.2;

/** One burst; CPU times are for one hold. */
interface Cost {
  perSecond: number;
  apiUs: number;
  redisUs: number;
}

const both = ({ apiUs, redisUs }: Cost) => apiUs + redisUs;

/** A Holdfast with so many live holds, which stay, and bursts of others, which run out. */
class Crowd {
  readonly subject: Holdfast;
  readonly #bench: Bench;
  readonly #connections: number;
  readonly #stayId: number;
  readonly #burstId: number;
  #live = 0;
  #passed = 0;

  private constructor(
    bench: Bench,
    subject: Holdfast,
    connections: number,
    [stayId, burstId]: [number, number],
  ) {
    this.#bench = bench;
    this.subject = subject;
    this.#connections = connections;
    this.#stayId = stayId;
    this.#burstId = burstId;
  }

  // Without the reconciler: at a million holds its scheduled run would be most of what is measured.
  static async open(bench: Bench, connections: number): Promise<Crowd> {
    const subject = await Holdfast.open(bench, { roles: 'apart', besides: 'writer,expiry' });
    const stayId = await subject.createProduct(PLENTY);
    const burstId = await subject.createProduct(PLENTY, { hold_ttl_seconds: BURST_TTL_SECONDS });
    return new Crowd(bench, subject, connections, [stayId, burstId]);
  }

  async growTo(size: number): Promise<void> {
    if (size > this.#live) await this.#take(this.#stayId, size - this.#live);
    this.#live = Math.max(this.#live, size);
    await this.subject.settle();
  }

  async burst(count = BURST): Promise<Cost> {
    const before = await cpuSoFar(this.#bench, this.subject);
    const { answers, elapsedMs } = await this.#take(this.#burstId, count);
    await this.subject.settle();
    const after = await cpuSoFar(this.#bench, this.subject);
    this.#passed += answers;
    return {
      perSecond: (answers * 1_000) / elapsedMs,
      apiUs: (after.apiUs - before.apiUs) / answers,
      redisUs: (after.redisUs - before.redisUs) / answers,
    };
  }

  async quiet(): Promise<void> {
    await this.subject.untilBack(this.#burstId);
    await this.subject.settle();
  }

  async audit(): Promise<void> {
    const passed = this.#passed;
    await this.subject.audit(this.#stayId, PLENTY, { holds: this.#live });
    await this.subject.audit(this.#burstId, PLENTY, { holds: passed, expired: passed });
  }

  #take(productId: number, count: number) {
    const load = { connections: this.#connections, count };
    return takeHolds(this.#bench, this.subject.port, productId, load);
  }
}

interface Measured {
  size: number;
  /** Bursts of the crowd of this size and, in turn with them, of the one that stays small. */
  grown: Cost[];
  small: Cost[];
}

async function measure(grown: Crowd, small: Crowd, size: number, bursts: number) {
  const measured: Measured = { size, grown: [], small: [] };
  await grown.growTo(size);
  while (measured.grown.length < bursts) {
    const isEven = measured.grown.length % 2 === 0;
    if (isEven) measured.small.push(await small.burst());
    measured.grown.push(await grown.burst());
    if (!isEven) measured.small.push(await small.burst());
    await small.quiet();
    await grown.quiet();
  }
  return measured;
}

const middle = (costs: readonly Cost[], figure: (cost: Cost) => number) =>
  median(costs.map(figure));

const times = ({ grown, small }: Measured) =>
  median(grown.map((cost, burst) => both(cost) / both(small[burst] ?? cost)));

function chart(all: readonly Measured[]): string {
  const line = (name: string, figure: (measured: Measured) => number) => ({
    name,
    points: all.map((it): [number, number] => [it.size, figure(it)]),
  });
  return lineChart({
    title: 'CPU time of a hold over live holds',
    x: { label: 'live holds', log: true },
    y: { label: 'microseconds' },
    series: [
      line('API and Redis', ({ grown }) => middle(grown, both)),
      line('API', ({ grown }) => middle(grown, ({ apiUs }) => apiUs)),
      line('Redis', ({ grown }) => middle(grown, ({ redisUs }) => redisUs)),
      line(`both, at ${whole(all[0]?.size ?? 0)} in turn`, ({ small }) => middle(small, both)),
    ],
  });
}

function reportOf(all: readonly Measured[], { connections }: Plan): Report {
  const [first, last] = [whole(all[0]?.size ?? 0), whole(all.at(-1)?.size ?? 0)];
  return {
    title: 'The cost of a hold over live holds',
    notes: [
      `Bursts of ${whole(BURST)} holds, which run out before the next, at ${connections} connections; ` +
        `${all[0]?.grown.length} bursts at each size, in turn with bursts of a second Holdfast that ` +
        `has ${first} live holds all the time. Medians; x ${first} is the median of the ratios of the ` +
        'two bursts of a turn, in CPU time of both. All live holds are in one lane; the writer and ' +
        'expiry are a process of their own, without the reconciler.',
    ],
    head: ['live holds', 'holds/s', 'API CPU us', 'Redis CPU us', 'both', `x ${first}`],
    rows: all.map((it) => [
      whole(it.size),
      whole(middle(it.grown, ({ perSecond }) => perSecond)),
      oneDigit(middle(it.grown, ({ apiUs }) => apiUs)),
      oneDigit(middle(it.grown, ({ redisUs }) => redisUs)),
      oneDigit(middle(it.grown, both)),
      twoDigits(times(it)),
    ]),
    targets: [
      {
        what: `CPU of API and Redis for a hold at ${last} live holds, against ${first}`,
        measured: all.map(times).at(-1) ?? Number.NaN,
        atMost: CPU_TIMES_MAX,
        unit: 'x',
      },
    ],
    plots: [
      {
        name: 'live-holds',
        alt: 'CPU time of a hold in the API and in Redis, from a thousand to a million live holds',
        svg: chart(all),
      },
    ],
    json: all,
  };
}

/** Whether a hold costs more when there are many already. */
export const liveHolds: Case = {
  name: 'live-holds',
  what: `cost of a hold with ${whole(SIZES[0] ?? 0)} to ${whole(SIZES.at(-1) ?? 0)} live holds`,
  isLong: true,
  run: async (bench, plan, say) => {
    const crowds: Crowd[] = [];
    const open = async () => {
      const crowd = await Crowd.open(bench, plan.connections);
      crowds.push(crowd);
      await crowd.burst(scaled(WARM_UP, plan));
      await crowd.quiet();
      return crowd;
    };
    try {
      const [grown, small] = [await open(), await open()];
      const sizes = SIZES.map((size) => scaled(size, plan));
      await small.growTo(sizes[0] ?? 0);
      const bursts = plan.rounds * scaled(BURSTS_PER_ROUND, plan);
      const all: Measured[] = [];
      for (const size of sizes) {
        say(`${whole(size)} live holds ...`);
        all.push(await measure(grown, small, size, bursts));
      }
      for (const crowd of crowds) await crowd.audit();
      return reportOf(all, plan);
    } finally {
      for (const { subject } of crowds) await subject.close();
    }
  },
};
