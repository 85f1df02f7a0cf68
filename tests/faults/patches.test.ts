import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { MUTATIONS } from './mutations/all.ts';
import { PatchDoesNotFit, patched } from './mutations/patch.ts';
import { ROWS } from './rows/all.ts';

const textOf = (file: string) => readFile(new URL(`../../${file}`, import.meta.url), 'utf8');

const patching = [...MUTATIONS, ...ROWS.filter((row) => row.patches)];

test.for(patching.map((it) => [it.name, it.patches ?? []] as const))(
  'the patches of %s still fit the engine',
  async ([, patches]) => {
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
