import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { MUTATIONS } from './mutations/all.ts';
import { PatchDoesNotFit, patched } from './mutations/patch.ts';

const textOf = (file: string) => readFile(new URL(`../../${file}`, import.meta.url), 'utf8');

test.for(MUTATIONS.map((mutation) => [mutation.name, mutation] as const))(
  'the mutation %s still fits the engine',
  async ([, { patches }]) => {
    for (const patch of patches) {
      const text = await textOf(patch.file);
      expect(patched(text, patch)).not.toBe(text);
    }
  },
);

test('a patch that fits nowhere, or twice, is refused', () => {
  const patch = { file: 'x', from: 'a', to: 'b' };
  expect(() => patched('none', { ...patch, from: 'z' })).toThrow(PatchDoesNotFit);
  expect(() => patched('a and a', patch)).toThrow(PatchDoesNotFit);
  expect(patched('a', patch)).toBe('b');
});
