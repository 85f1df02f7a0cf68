import { join } from 'node:path';
import { isGreen, type Result, runRow } from '../run.ts';
import type { Ground } from '../world.ts';
import type { Mutation } from './all.ts';
import { patchedCopy } from './patch.ts';

/** A broken engine never comes to rest. */
const PATIENCE_MS = 6_000;

export interface MutationOptions {
  seed: number;
  operations: number;
}

/** What the checker made of a broken engine. */
export interface Caught {
  mutation: Mutation;
  result: Result;
  /** Whether the checker turned red, as it must. */
  isCaught: boolean;
}

/** Runs a row against a copy of the engine that was broken on purpose. */
export async function runMutation(
  ground: Ground,
  mutation: Mutation,
  options: MutationOptions,
): Promise<Caught> {
  const folder = join(ground.folder, `mutation-${mutation.name}`);
  const code = await patchedCopy(ground.code, folder, mutation.patches);
  const isShort = !mutation.needsFullForm;
  const patience = { isShort, patienceMs: PATIENCE_MS, say: () => {} };
  const result = await runRow(ground, mutation.row, { ...options, ...patience, code });
  return { mutation, result, isCaught: !isGreen(result) };
}
