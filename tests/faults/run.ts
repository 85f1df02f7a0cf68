import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { crowd, fillShelf } from './buyers.ts';
import { check, type Verdict } from './checker/check.ts';
import { StateReader } from './checker/read-state.ts';
import { outcomeOf } from './history.ts';
import { patchedCopy } from './mutations/patch.ts';
import { seeded } from './random.ts';
import { timeToRecover } from './recovery.ts';
import type { Row, Stage } from './rows/row.ts';
import { Sale } from './sale.ts';
import { type Ground, HOLD_TTL_MS, PAY_TTL_MS, World } from './world.ts';

const CLIENTS = 40;
/** The fault begins once this share of the operations is under way. */
const FAULT_AT = 0.25;
const AFTER_FAULT = 0.15;
const PATIENCE_MS = 60_000;
const COMES_BACK_TRIES = 20;

export interface RunOptions {
  seed: number;
  operations: number;
  isShort: boolean;
  /** A patched checkout. */
  code?: string;
  /** How long to wait for recovery and rest: a broken engine need not be waited for. */
  patienceMs?: number;
  say: (line: string) => void;
}

/** What one row came to with one seed. */
export interface Result extends Verdict {
  row: Row;
  seed: number;
  /** Operations that were asked for. */
  asked: number;
  /** The longest, where the fault came several times; undefined where nothing had to recover. */
  recoverMs: number | undefined;
  notes: string[];
  /** What the processes complained about, for a red row. */
  complaints: string[];
}

export const isGreen = ({ findings }: Pick<Result, 'findings'>): boolean => findings.isClean;

/** Runs one row with one seed in a world of its own, and lets the checker decide. */
export async function runRow(ground: Ground, row: Row, options: RunOptions): Promise<Result> {
  const { seed, operations } = options;
  const code = await codeOf(ground, row, options);
  const world = await World.open(ground, row.name, { ...row.world, code });
  const sale = new Sale(world, { seed, operations, clients: CLIENTS });
  try {
    return await runSale(world, sale, row, options);
  } catch (error) {
    const complaints = (await world.complaints()).slice(-20);
    throw new Error(`${(error as Error).message}\n${complaints.join('\n')}`, { cause: error });
  } finally {
    sale.close();
    await world.close();
  }
}

// A fault that no signal can bring about is put into a copy.
async function codeOf(ground: Ground, row: Row, options: RunOptions): Promise<string> {
  const { code = ground.code } = options;
  if (!row.patches) return code;
  const folder = join(ground.folder, `${row.name}-code`);
  await rm(folder, { recursive: true, force: true });
  return patchedCopy(code, folder, row.patches);
}

async function runSale(world: World, sale: Sale, row: Row, options: RunOptions): Promise<Result> {
  const { patienceMs = PATIENCE_MS } = options;
  const recoveries: number[] = [];
  const notes: string[] = [];
  const broken: string[] = [];
  const probe = await sale.create('probe', 100_000);
  const shelf = await fillShelf(sale);
  const buying = row.crowd ? crowd(sale, shelf) : Promise.resolve();
  const stage: Stage = {
    ...{ world, sale, probe, random: seeded(options.seed, 0xfa17), isShort: options.isShort },
    recovered: async () => {
      recoveries.push(await timeToRecover(sale, probe, patienceMs));
    },
    took: (ms) => void recoveries.push(ms),
    broken: (text) => void broken.push(text),
    note: (text) => void notes.push(text),
    say: options.say,
  };
  if (row.crowd) await sale.reaches(FAULT_AT);
  await row.strike(stage).catch((error: Error) => broken.push(error.message));
  if (row.crowd) await sale.more(AFTER_FAULT).catch((error: Error) => broken.push(error.message));
  sale.mayEnd(patienceMs);
  await buying;
  await sale.quiet();
  await comeBack(sale);
  const verdict = await decide(world, sale, row, broken, patienceMs);
  const recoverMs = recoveries.length > 0 ? Math.max(...recoveries) : undefined;
  const complaints = verdict.findings.isClean ? [] : (await world.complaints()).slice(-20);
  const { seed, operations: asked } = options;
  return { ...verdict, row, seed, asked, recoverMs, notes, complaints };
}

// Whoever was told nothing asks once more when all is well, as buyers and providers do.
async function comeBack(sale: Sale): Promise<void> {
  const open = sale.history.operations.filter(
    (it) => outcomeOf(it) === 'unknown' && it.request.kind !== 'hold' && it.request.kind !== 'read',
  );
  await Promise.all(open.map((it) => sale.askAgain(it, COMES_BACK_TRIES)));
}

async function decide(
  world: World,
  sale: Sale,
  row: Row,
  broken: string[],
  patienceMs: number,
): Promise<Verdict> {
  const reader = await StateReader.open(world.redis.url, world.mysql.url);
  try {
    const unsettled = await reader.settled(HOLD_TTL_MS + PAY_TTL_MS + patienceMs);
    const verdict = check(sale.history, await reader.read(), row.rules);
    if (unsettled) verdict.findings.addFirst('broken', `never came to rest: ${unsettled}`);
    for (const text of broken.toReversed()) verdict.findings.addFirst('broken', text);
    return verdict;
  } finally {
    await reader.close();
  }
}
