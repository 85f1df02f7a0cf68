import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const page = new URL('../docs/performance.md', import.meta.url);

const opening = (name: string) => `<!-- bench ${name} -->`;
const closing = (name: string) => `<!-- /bench ${name} -->`;

/** Puts a section between its markers in docs/performance.md, and says where. */
export async function writeSection(name: string, markdown: string): Promise<string> {
  const text = await readFile(page, 'utf8');
  const start = text.indexOf(opening(name));
  const end = text.indexOf(closing(name));
  const path = fileURLToPath(page);
  if (start < 0 || end < start) throw new Error(`${path} has no markers for ${name}`);
  const before = text.slice(0, start + opening(name).length);
  await writeFile(page, `${before}\n\n${markdown}\n\n${text.slice(end)}`);
  return path;
}
