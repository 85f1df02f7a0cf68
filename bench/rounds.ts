import { join } from 'node:path';
import {
  AuditFailed,
  type Bench,
  type Contender,
  type Contestant,
  type Question,
  type Task,
} from './contenders/contender.ts';
import type { AskedLoad, LoadResult } from './load/generator.ts';

/** One contender in one round, or the medians of its rounds. CPU times are for one request. */
export interface Figures {
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
  apiUs: number;
  writerUs: number;
  redisUs: number;
  mysqlUs: number;
  generatorUs: number;
  /** From the last answer until everything was stored. */
  storedAfterMs: number;
}

/** What a contender reached. */
export interface Result {
  name: string;
  what: string;
  rounds: Figures[];
  medians: Figures;
}

/** How a case is run. */
export interface Plan {
  rounds: number;
  seconds: number;
  /** As long as a round unless said, and no longer than 2 s then. */
  warmUpSeconds?: number;
  connections: number;
  /** To live stock, at the same time. */
  listeners: number;
  /** Of the big numbers of a case; 1 for all of them. */
  scale: number;
}

/** How a contender is asked: by a run of the generator, unless a case wants to see more of it. */
export type Drive = (load: AskedLoad, name: string) => Promise<LoadResult>;

interface Entrant {
  contender: Contender;
  contestant: Contestant;
  task: Task;
  answers: number;
  rounds: Figures[];
}

const WARM_UP_SECONDS_MAX = 2;

export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

function mediansOf(rounds: readonly Figures[]): Figures {
  const names = Object.keys(rounds[0] ?? {}) as (keyof Figures)[];
  const entries = names.map((name) => [name, median(rounds.map((round) => round[name]))]);
  return Object.fromEntries(entries) as unknown as Figures;
}

export interface Cpu {
  apiUs: number;
  writerUs: number | undefined;
  redisUs: number;
  mysqlUs: number | undefined;
}

const apisOf = ({ api, others = [] }: Contestant) => [api, ...others.map((it) => it.api)];

/** CPU time of a contestant and its servers so far. */
export async function cpuSoFar({ servers }: Bench, contestant: Contestant): Promise<Cpu> {
  const { writer } = contestant;
  const apis = await Promise.all(apisOf(contestant).map((api) => api.usage()));
  return {
    apiUs: apis.reduce((sum, { cpuUs }) => sum + cpuUs, 0),
    writerUs: (await writer?.usage())?.cpuUs,
    redisUs: await servers.redisCpuUs(),
    mysqlUs: await servers.mysqlCpuUs(),
  };
}

const profileName = (...words: string[]) =>
  `${words.join(' ').replaceAll(/[^A-Za-z0-9]+/g, '-')}.cpuprofile`;

// Profiles of the rounds alone, without the start and the warm-up.
async function profiled(
  profiles: string | undefined,
  question: Question,
  entrants: readonly Entrant[],
  work: () => Promise<void>,
): Promise<void> {
  if (profiles === undefined) return work();
  const children = entrants.flatMap(({ contender: { name }, contestant }) => {
    const fileOf = (...words: string[]) => join(profiles, profileName(question, name, ...words));
    const { writer } = contestant;
    const apis = apisOf(contestant).map((child, nth) => {
      return { child, file: fileOf('api', ...(nth > 0 ? [String(nth + 1)] : [])) };
    });
    return writer ? [...apis, { child: writer, file: fileOf('writer') }] : apis;
  });
  for (const { child } of children) await child.startProfile();
  await work();
  for (const { child, file } of children) await child.saveProfile(file);
}

async function runOnce(
  bench: Bench,
  entrant: Entrant,
  { connections, seconds }: Plan,
  drive: Drive,
): Promise<Figures> {
  const { contestant, task, contender } = entrant;
  const port = [contestant, ...(contestant.others ?? [])].map((it) => it.port);
  const load = { port, connections, seconds, ...(await task.sending(seconds)) };
  const before = await cpuSoFar(bench, contestant);
  const result = await drive(load, contender.name);
  const answeredAt = performance.now();
  await task.settle();
  const storedAfterMs = performance.now() - answeredAt;
  const after = await cpuSoFar(bench, contestant);
  const { answers, statuses, elapsedMs, p50Ms, p99Ms } = result;
  entrant.answers += answers;
  if (statuses[task.status] !== answers) {
    const said = JSON.stringify(statuses);
    throw new AuditFailed(`${contender.name}: answers other than ${task.status}: ${said}`);
  }
  const each = (name: keyof Cpu) => ((after[name] ?? 0) - (before[name] ?? 0)) / answers;
  return {
    perSecond: (answers * 1_000) / elapsedMs,
    p50Ms,
    p99Ms,
    apiUs: each('apiUs'),
    writerUs: each('writerUs'),
    redisUs: each('redisUs'),
    mysqlUs: each('mysqlUs'),
    generatorUs: result.cpuUs / answers,
    storedAfterMs,
  };
}

/**
 * Asks every contender the same, in turn, round after round, so that whatever else the machine does
 * meets all of them. Throws `AuditFailed` when the stores do not say what the answers said.
 */
export async function runRounds(
  bench: Bench,
  contenders: readonly Contender[],
  question: Question,
  plan: Plan,
  drive: Drive = (load) => bench.generator.run(load),
): Promise<Result[]> {
  const { warmUpSeconds = Math.min(plan.seconds, WARM_UP_SECONDS_MAX) } = plan;
  const warmUp = { ...plan, seconds: warmUpSeconds };
  const entrants: Entrant[] = [];
  try {
    for (const contender of contenders) {
      const contestant = await contender.open(bench);
      const task = await contestant.prepare(question);
      const entrant = { contender, contestant, task, answers: 0, rounds: [] };
      entrants.push(entrant);
      await runOnce(bench, entrant, warmUp, drive);
    }
    await profiled(bench.profiles, question, entrants, async () => {
      for (let round = 0; round < plan.rounds; round += 1) {
        for (const entrant of entrants) {
          entrant.rounds.push(await runOnce(bench, entrant, plan, drive));
        }
      }
    });
    for (const { task, answers } of entrants) await task.audit(answers);
  } finally {
    for (const { contestant } of entrants) await contestant.close();
  }
  return entrants.map(({ contender: { name, what }, rounds: measured }) => {
    return { name, what, rounds: measured, medians: mediansOf(measured) };
  });
}

/**
 * Median of the ratios of the rounds: both sides of each met the same state of the machine. NaN
 * where one of the two was not measured.
 */
export function ratio(
  results: readonly Result[],
  name: string,
  against: string,
  figure: (figures: Figures) => number,
): number {
  const figuresOf = (wanted: string) =>
    results.find((it) => it.name === wanted)?.rounds.map(figure) ?? [];
  const others = figuresOf(against);
  return median(figuresOf(name).map((own, round) => own / (others[round] ?? Number.NaN)));
}
