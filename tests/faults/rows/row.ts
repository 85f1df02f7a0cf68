import type { Rules } from '../checker/state.ts';
import type { Patch } from '../mutations/patch.ts';
import type { Random } from '../random.ts';
import type { Product, Sale } from '../sale.ts';
import type { World, WorldOptions } from '../world.ts';

/** What a fault works with. */
export interface Stage {
  world: World;
  sale: Sale;
  /** Always in stock, for those who only want to see whether anything can be bought. */
  probe: Product;
  random: Random;
  /** The short form for CI: fewer times, shorter outages. */
  isShort: boolean;
  /** Waits until holds and orders succeed again, and takes note of how long that took. */
  recovered: () => Promise<void>;
  /** A recovery that the row has measured itself. */
  took: (ms: number) => void;
  /** What the row promises and did not keep: makes it red. */
  broken: (text: string) => void;
  /** What is told beside the figures. */
  note: (text: string) => void;
  /** A figure of the row's own, for its note. */
  say: (line: string) => void;
}

/** One row of the table. */
export interface Row {
  name: string;
  /** What is done, and how often. */
  what: string;
  expected: string;
  /** Losses that the protocol declares here, or nothing. */
  declared?: string;
  rules: Rules;
  world: WorldOptions;
  /** What a copy of the engine needs for this fault. */
  patches?: readonly Patch[];
  /** A crowd buys around the fault, unless the fault brings its own clients. */
  crowd: boolean;
  /** Of a run of random faults. */
  minutes?: number;
  /** Needs nothing but the running world, so that a random run can choose it. */
  composable?: boolean;
  /** Runs in the middle of the sale, and returns when the last fault is over. */
  strike: (stage: Stage) => Promise<void>;
}

export const NOTHING_LOST: Rules = { redisLosesData: false };
export const REDIS_LOSES: Rules = { redisLosesData: true };
export const HOLDS_LOST =
  'holds that MySQL did not have yet; releases and keys of holds told just before the loss';
