import { readFile } from 'node:fs/promises';

/** The text of a file of the project, by its path from the top. */
export function projectFile(path: string): Promise<string> {
  return readFile(new URL(`../../${path}`, import.meta.url), 'utf8');
}
