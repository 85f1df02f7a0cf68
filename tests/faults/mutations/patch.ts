import { cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** An exact replacement in one file of the compiled checkout. */
export interface Patch {
  file: string;
  from: string;
  to: string;
}

/** The engine has changed, and the mutation must be written anew. */
export class PatchDoesNotFit extends Error {
  override readonly name = 'PatchDoesNotFit';
}

/** What a copy needs to run. */
const COPIED = ['dist', 'lua', 'drizzle', 'package.json'];

/** The text with the one occurrence replaced. Throws where there is none, or more than one. */
export function patched(text: string, { file, from, to }: Patch): string {
  const found = text.split(from).length - 1;
  if (found !== 1) {
    throw new PatchDoesNotFit(`${file} has ${found} times what must be there once:\n${from}`);
  }
  return text.replace(from, () => to);
}

/** Copies a compiled checkout and breaks the copy. */
export async function patchedCopy(
  code: string,
  folder: string,
  patches: readonly Patch[],
): Promise<string> {
  await mkdir(folder, { recursive: true });
  for (const name of COPIED) {
    await cp(join(code, name), join(folder, name), { recursive: true });
  }
  await symlink(join(code, 'node_modules'), join(folder, 'node_modules'));
  for (const patch of patches) {
    const path = join(folder, patch.file);
    await writeFile(path, patched(await readFile(path, 'utf8'), patch));
  }
  return folder;
}
